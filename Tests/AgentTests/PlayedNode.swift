import Keeper
import Kernel
import Mesh
import Testing
import Transport
import XDS

@testable import Agent

/// The keeper of a node, played by the test: asks, and remembers what it was told.
final class PlayedKeeper {
    private var socket: MessageSocket?
    private(set) var told: [ControllerToKeeper] = []
    private(set) var isLeft = false

    init(_ descriptor: consuming Descriptor) { socket = MessageSocket(descriptor) }

    func send(_ message: KeeperToController) throws {
        let result = try socket?.send(message.encoded(), descriptors: [])
        #expect(result == .sent)
    }

    /// Takes what has come.
    func look() {
        do {
            while case .message(let bytes, _) = try socket?.receive() {
                told.append(try ControllerToKeeper(decoding: bytes, descriptorCount: 0))
            }
        } catch {
            isLeft = true
        }
    }

    var wanted: [String] {
        look()
        return told.compactMap { if case .podWanted(let wish) = $0 { wish.name } else { nil } }
    }

    var verdicts: [Keeper.PodVerdict] {
        look()
        return told.compactMap { if case .podVerdict(let verdict) = $0 { verdict } else { nil } }
    }

    func close() { socket = nil }
}

/// The worker of a node, played by the test: follows the mesh.
final class PlayedWorker {
    private let channel: ChannelConnection
    private var client: DeltaClient
    private(set) var mesh = MeshSnapshot()
    private(set) var changes: [MeshChange] = []
    private(set) var messages: [ChannelMessage] = []
    private(set) var end: String?

    /// - Parameter savedState: what another worker knew.
    init(_ path: String, _ resources: LoopResources, savedState: [UInt8]? = nil) throws {
        channel = ChannelConnection(try UnixSocket.connect(path, isNonblocking: true), resources: resources)
        client = DeltaClient(nodeID: "worker")
        if let savedState { mesh.apply(contentsOf: try client.restore(savedState)) }
        try channel.start { [unowned self] in
            received($0)
        } onEnd: { [unowned self] in
            end = $0
        }
        for request in client.connected() { channel.send(.discoveryRequest(request)) }
    }

    private func received(_ message: ChannelMessage) {
        messages.append(message)
        guard case .discoveryResponse(let response) = message else { return }
        let update = client.received(response)
        #expect(update.rejections.isEmpty)
        changes += update.changes
        mesh.apply(contentsOf: update.changes)
        channel.send(.discoveryRequest(update.reply))
    }

    func send(_ message: ChannelMessage) { channel.send(message) }
    func close() { channel.close() }
    func savedState() -> [UInt8] { client.savedState() }

    var isComplete: Bool { client.isComplete }
    var reports: [ControllerReport] {
        messages.compactMap { if case .controllerReport(let report) = $0 { report } else { nil } }
    }
    var certificates: [CertificateResponse] {
        messages.compactMap { if case .certificateResponse(let response) = $0 { response } else { nil } }
    }
    var meshReports: [MeshReport] {
        messages.compactMap { if case .meshReport(let report) = $0 { report } else { nil } }
    }
    func has(_ name: String) -> Bool { mesh.workload(Samples.uid(name)) != nil }
}
