import CertificateAuthority
import Mesh
import Synchronization
import XDS

@testable import ControlPlane

/// A controller as the server sees it: serves a mesh, answers questions, and writes down what happens.
final class TestController: ControlPlaneHandler {
    enum Event: Sendable {
        case opened(NodeStream)
        case said(ChannelMessage, node: String)
        case closed(node: String, StreamKind, cause: String)
        case certificate(CertificateRequest, node: String)
        case refused(CallRefusal)
    }

    private struct State: ~Copyable {
        var server = DeltaServer()
        var streams: [UInt64: NodeStream] = [:]
        var sentResources = 0
    }

    let events = EventLog<Event>()
    let authority: TestAuthority
    private let state = Mutex(State())

    init(_ authority: TestAuthority, mesh: [MeshChange] = []) {
        self.authority = authority
        state.withLock { state in
            _ = state.server.applied(mesh)
            _ = state.server.initialSetApplied()
        }
    }

    /// Resources that were sent, ever.
    var sentResources: Int { state.withLock { $0.sentResources } }

    func apply(_ changes: [MeshChange]) {
        state.withLock { state in Self.send(state.server.applied(changes).outgoing, &state) }
    }

    private static func send(_ outgoing: [DeltaServer.Outgoing], _ state: inout State) {
        for item in outgoing {
            state.sentResources += item.response.resources.count
            state.streams[item.client]?.send(.discoveryResponse(item.response))
        }
    }

    func streamOpened(_ stream: NodeStream) {
        if stream.kind == .discovery {
            state.withLock { state in
                state.streams[stream.id] = stream
                state.server.connected(stream.id)
            }
        }
        events.append(.opened(stream))
    }

    func received(_ message: ChannelMessage, on stream: NodeStream, receipt: Receipt) {
        if case .discoveryRequest(let request) = message {
            state.withLock { state in Self.send(state.server.received(request, from: stream.id).outgoing, &state) }
        }
        if case .podQuestion(let question) = message {
            stream.send(.podVerdict(PodVerdict(id: question.id, outcome: .leave(reason: "no \(question.name)"))))
        }
        events.append(.said(message, node: stream.node))
    }

    func streamClosed(_ stream: NodeStream, cause: String) {
        state.withLock { state in
            state.streams[stream.id] = nil
            state.server.disconnected(stream.id)
        }
        events.append(.closed(node: stream.node, stream.kind, cause: cause))
    }

    func certificateRequested(
        _ request: CertificateRequest, node: String, answer: PendingAnswer<CertificateResponse.Outcome>
    ) {
        events.append(.certificate(request, node: node))
        if request.identity.serviceAccount == "dropped" { return }
        answer.give(
            request.identity.namespace == "here"
                ? .issued(chainPEM: ["leaf of \(node)", "root"]) : .refused("no pod of it on \(node)"))
    }

    func joinRequested(_ request: NodeJoinRequest, answer: PendingAnswer<NodeCertificateOutcome>) {
        do {
            try JoinTokenStore(directory: authority.path).redeem(
                token: request.token, node: request.node,
                publicKeyHash: CertificateIssuer.publicKeyHash(requestPEM: request.signingRequestPEM),
                now: TestAuthority.currentTime)
            answer.give(try sign(request.signingRequestPEM, request.node))
        } catch {
            answer.give(.refused("\(error)"))
        }
    }

    func renewalRequested(_ request: NodeRenewalRequest, answer: PendingAnswer<NodeCertificateOutcome>) {
        do {
            answer.give(try sign(request.signingRequestPEM, request.node))
        } catch {
            answer.give(.refused("\(error)"))
        }
    }

    private func sign(_ request: String, _ node: String) throws -> NodeCertificateOutcome {
        let issued = try authority.issuer.signNode(requestPEM: request, node: node, now: authority.now)
        return .issued(chainPEM: Array(issued.chainPEM.dropLast()), trustBundlePEM: try authority.bundlePEM)
    }

    func callRefused(_ refusal: CallRefusal) { events.append(.refused(refusal)) }

    // MARK: What tests wait for

    func opened(_ node: String, _ kind: StreamKind) async throws -> NodeStream {
        let event = try await events.first {
            if case .opened(let stream) = $0 { stream.node == node && stream.kind == kind } else { false }
        }
        guard case .opened(let stream) = event else { fatalError("it was filtered") }
        return stream
    }

    func said(_ test: @escaping @Sendable (ChannelMessage) -> Bool) async throws -> (ChannelMessage, node: String) {
        let event = try await events.first { if case .said(let message, _) = $0 { test(message) } else { false } }
        guard case .said(let message, let node) = event else { fatalError("it was filtered") }
        return (message, node)
    }

    func closed(_ node: String, _ kind: StreamKind) async throws -> String {
        let event = try await events.first {
            if case .closed(node, kind, _) = $0 { true } else { false }
        }
        guard case .closed(_, _, let cause) = event else { fatalError("it was filtered") }
        return cause
    }
}
