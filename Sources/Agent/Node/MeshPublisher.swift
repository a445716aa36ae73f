internal import Mesh
internal import XDS

/// The delta server with the clients that it answers: workers of this node, and agents of others. Confined to one loop.
final class MeshPublisher {
    /// A client that is connected; one that comes back is another.
    typealias Client = DeltaServer.ClientID

    private var server = DeltaServer()
    private var clients: [Client: (DeltaResponse) -> Void] = [:]
    private var lastClient: Client = 0
    private let log: ProcessLog

    init(log: ProcessLog) {
        self.log = log
    }

    /// Whether the first full state has been published.
    private(set) var isComplete = false

    /// - Parameter send: called for each response to this client, in order.
    func connected(_ send: @escaping (DeltaResponse) -> Void) -> Client {
        lastClient += 1
        clients[lastClient] = send
        server.connected(lastClient)
        return lastClient
    }

    /// - Parameter name: of the client, for the log.
    func received(_ request: DeltaRequest, from client: Client, name: String) {
        let received = server.received(request, from: client)
        if let refusal = received.refusal { log.write(.error, "\(name) refused configuration: \(refusal)") }
        send(received.outgoing)
    }

    func disconnected(_ client: Client) {
        clients[client] = nil
        server.disconnected(client)
    }

    /// Brings the changes to all clients, as fast as each of them takes them.
    func publish(_ changes: [MeshChange]) {
        guard !changes.isEmpty else { return }
        let applied = server.applied(changes)
        for problem in applied.problems { log.write(.error, "has no form on the wire: \(problem)") }
        send(applied.outgoing)
    }

    /// What was published so far is the whole state; clients get it from now on. Once is enough.
    func completed() {
        guard !isComplete else { return }
        isComplete = true
        send(server.initialSetApplied())
    }

    private func send(_ outgoing: [DeltaServer.Outgoing]) {
        for item in outgoing { clients[item.client]?(item.response) }
    }
}
