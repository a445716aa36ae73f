import Mesh
import Synchronization
import XDS

@testable import ControlPlane

/// A node's subscriber: follows the mesh, and writes down what happens.
final class TestSubscriber: ControlPlaneClientHandler {
    enum Event: Sendable {
        case connected(ControllerConnection)
        case said(ChannelMessage)
        case lost(ControlPlaneError)
        /// The mesh as it is known now, when the first set is complete.
        case mesh(Set<MeshChange>)
    }

    private struct State: ~Copyable {
        var client = DeltaClient(nodeID: "test")
        var mesh: [String: MeshChange] = [:]
    }

    let events = EventLog<Event>()
    private let state = Mutex(State())
    /// Called for each message before anything else; may block.
    private let onMessage: @Sendable (ChannelMessage) -> Void

    init(onMessage: @escaping @Sendable (ChannelMessage) -> Void = { _ in }) {
        self.onMessage = onMessage
    }

    func controllerConnected(_ connection: ControllerConnection) {
        for request in state.withLock({ $0.client.connected() }) { connection.send(.discoveryRequest(request)) }
        events.append(.connected(connection))
    }

    func controllerSaid(_ message: ChannelMessage, on connection: ControllerConnection) {
        onMessage(message)
        if case .discoveryResponse(let response) = message {
            let (reply, mesh) = state.withLock { state in
                let update = state.client.received(response)
                for change in update.changes {
                    switch change {
                    case .workloadUpserted(let workload): state.mesh[workload.uid.text] = change
                    case .workloadRemoved(let uid): state.mesh[uid.text] = nil
                    default: break
                    }
                }
                return (update.reply, state.client.isComplete ? Set(state.mesh.values) : nil)
            }
            connection.send(.discoveryRequest(reply))
            if let mesh { events.append(.mesh(mesh)) }
        }
        events.append(.said(message))
    }

    func controllerLost(_ error: ControlPlaneError, retryDelay: Duration) { events.append(.lost(error)) }

    // MARK: What tests wait for

    func connected() async throws -> ControllerConnection {
        let event = try await events.first { if case .connected = $0 { true } else { false } }
        guard case .connected(let connection) = event else { fatalError("it was filtered") }
        return connection
    }

    func lost() async throws -> ControlPlaneError {
        let event = try await events.first { if case .lost = $0 { true } else { false } }
        guard case .lost(let error) = event else { fatalError("it was filtered") }
        return error
    }

    func hasMesh(_ mesh: [MeshChange]) async throws {
        _ = try await events.first { if case .mesh(Set(mesh)) = $0 { true } else { false } }
    }

    func said(_ test: @escaping @Sendable (ChannelMessage) -> Bool) async throws -> ChannelMessage {
        let event = try await events.first { if case .said(let message) = $0 { test(message) } else { false } }
        guard case .said(let message) = event else { fatalError("it was filtered") }
        return message
    }
}
