internal import CertificateAuthority
internal import ControlPlane
internal import Controller
internal import Kernel
internal import Mesh
internal import XDS

/// The controller's side towards other nodes: what gRPC brings is posted to the controller's loop, and answered there.
///
///     discovery stream ──> publisher          session ──> remote nodes, reports
///     certificate, join, renewal ──> authority
final class NetworkFront: @unchecked Sendable {
    // @unchecked: `process` and `clients` are touched only by closures that run on the controller's loop.
    private unowned let process: ControllerProcess
    private let loop: EventLoop
    private var clients: [UInt64: Client] = [:]

    /// What a stream is on this side.
    private enum Client {
        case discovery(MeshPublisher.Client)
        case session(RemoteNodes.SessionID)
    }

    init(_ process: ControllerProcess) {
        self.process = process
        loop = process.loop
    }

    private func onLoop(_ body: @escaping @Sendable (NetworkFront) -> Void) {
        loop.post { body(self) }
    }

    private func opened(_ stream: NodeStream) {
        switch stream.kind {
        case .discovery:
            clients[stream.id] = .discovery(process.publisher.connected { stream.send(.discoveryResponse($0)) })
        case .session:
            process.reports.nodeConnected(stream.node)
            let pods = process.publisher.isComplete ? process.mesh.enrolments[stream.node] ?? [] : nil
            clients[stream.id] = .session(
                process.remoteNodes.opened(stream.node, pods: pods) { stream.send($0) })
        }
    }

    private func closed(_ stream: NodeStream, cause: String) {
        switch clients.removeValue(forKey: stream.id) {
        case .discovery(let client): process.publisher.disconnected(client)
        case .session(let session):
            process.remoteNodes.closed(session, cause: cause)
            process.reports.nodeDisconnected(stream.node)
        case nil: break
        }
    }

    private func received(_ message: ChannelMessage, on stream: NodeStream) {
        switch (message, clients[stream.id]) {
        case (.discoveryRequest(let request), .discovery(let client)):
            process.publisher.received(request, from: client, name: "node \(stream.node)")
        case (.nodeReport(let report), .session):
            process.reports.received(report, from: stream.node, at: loop.now)
        case (.meshReportRequest(let id), .session(let session)):
            process.remoteNodes.answer(.meshReport(process.meshReport(id: id)), to: session)
        case (.podQuestion(let question), .session(let session)):
            process.remoteNodes.answer(.podVerdict(process.verdict(on: question, node: stream.node)), to: session)
        default: stream.close("a message that nodes do not send here")
        }
    }
}

extension NetworkFront: ControlPlaneHandler {
    func streamOpened(_ stream: NodeStream) {
        onLoop { $0.opened(stream) }
    }

    func received(_ message: ChannelMessage, on stream: NodeStream, receipt: Receipt) {
        onLoop { front in
            front.received(message, on: stream)
            withExtendedLifetime(receipt) {}
        }
    }

    func streamClosed(_ stream: NodeStream, cause: String) {
        onLoop { $0.closed(stream, cause: cause) }
    }

    func certificateRequested(
        _ request: CertificateRequest, node: String, answer: PendingAnswer<CertificateResponse.Outcome>
    ) {
        onLoop { answer.give($0.process.authority.answer(request, node: node).outcome) }
    }

    func joinRequested(_ request: NodeJoinRequest, answer: PendingAnswer<NodeCertificateOutcome>) {
        onLoop { answer.give($0.process.join(request)) }
    }

    func renewalRequested(_ request: NodeRenewalRequest, answer: PendingAnswer<NodeCertificateOutcome>) {
        onLoop { answer.give($0.process.authority.signNode(request.node, request.signingRequestPEM)) }
    }

    func callRefused(_ refusal: CallRefusal) {
        onLoop {
            $0.process.log.write(.warning, "refused \(refusal.call) from \(refusal.address): \(refusal.reason)")
        }
    }
}

extension ControllerProcess {
    /// Lets a node in that brings a good token.
    func join(_ request: NodeJoinRequest) -> NodeCertificateOutcome {
        let outcome = authority.join(request)
        switch outcome {
        case .issued: log.write(.notice, "node \(request.node) has joined, from \(request.address)")
        case .refused(let reason):
            log.write(.warning, "\(request.address) was not let in as node \(request.node): \(reason)")
        }
        return outcome
    }

    /// Begins to serve other nodes on `listener`, a TCP socket that listens.
    func serveNetwork(_ listener: consuming Descriptor) throws {
        let front = NetworkFront(self)
        network = try NetworkServer(listener, authority: authority.running, handler: front, log: log)
    }
}
