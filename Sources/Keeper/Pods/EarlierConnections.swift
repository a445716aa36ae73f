internal import Addressing
internal import Kernel
internal import Mesh

/// The connections that a pod had before it was captured. They stay what they were: plaintext.
struct EarlierConnections {
    private struct Ends: Hashable {
        let local: SocketAddress
        let remote: SocketAddress
    }

    /// Whether the other side opened it.
    private var isInbound: [Ends: Bool]
    private let listeningPorts: Set<UInt16>

    /// Lists those of the namespace that the calling thread is in: what does not stay on the pod itself, and is not the
    /// agent's own.
    ///
    /// - Parameter listenerCount: listeners of the agent that are there already. A namespace with no other socket, as that of a
    ///   pod that is about to start, has no connections, and to ask for them would cost ten times what its rules do.
    init(besides listenerCount: Int) throws(SystemError) {
        guard NamespaceSockets.tcpCount() != listenerCount else {
            listeningPorts = []
            isInbound = [:]
            return
        }
        let diagnosis = try SocketDiagnosis()
        let ports = try diagnosis.listeningPorts()
        listeningPorts = ports
        isInbound = Dictionary(
            try diagnosis.establishedConnections().filter(Self.isForeign)
                .map { (Ends(local: $0.local, remote: $0.remote), ports.contains($0.local.port)) }
        ) { first, _ in first }
    }

    /// Those that an agent before this one knew.
    init(_ known: [ConnectionEnds]) {
        listeningPorts = []
        isInbound = Dictionary(known.map { (Ends(local: $0.local, remote: $0.remote), $0.isInbound) }) { first, _ in
            first
        }
    }

    /// How many are left, as far as known.
    var count: Int { isInbound.count }

    /// Each of them, always in the same order.
    var list: [ConnectionEnds] {
        isInbound.map { ConnectionEnds(local: $0.key.local, remote: $0.key.remote, isInbound: $0.value) }
            .sorted { ($0.local.port, $0.remote.port, $0.remote.ip) < ($1.local.port, $1.remote.port, $1.remote.ip) }
    }

    /// Adds those that were made to the pod between the first look and the rules. Called in the same namespace, before
    /// the worker has the listeners: it cannot have opened any of them.
    mutating func noteLate() throws(SystemError) {
        guard !listeningPorts.isEmpty else { return }
        for connection in try SocketDiagnosis().establishedConnections()
        where Self.isForeign(connection) && listeningPorts.contains(connection.local.port) {
            isInbound[Ends(local: connection.local, remote: connection.remote)] = true
        }
    }

    /// Forgets those that are gone. Called in the same namespace.
    mutating func refresh() throws(SystemError) {
        let now = Set(try SocketDiagnosis().establishedConnections().map { Ends(local: $0.local, remote: $0.remote) })
        isInbound = isInbound.filter { now.contains($0.key) }
    }

    /// Aborts those that others made to the pod. Called in the same namespace.
    /// - Returns: how many.
    func abortInbound() throws(SystemError) -> Int {
        guard isInbound.values.contains(true) else { return 0 }
        let diagnosis = try SocketDiagnosis()
        var count = 0
        for connection in try diagnosis.establishedConnections()
        where isInbound[Ends(local: connection.local, remote: connection.remote)] == true {
            try diagnosis.destroy(connection)
            count += 1
        }
        return count
    }

    private static func isForeign(_ connection: ListedConnection) -> Bool {
        !connection.local.ip.isLoopback && connection.local.ip != connection.remote.ip
            && !MeshPorts.isOwn(connection.local.port) && !MeshPorts.isOwn(connection.remote.port)
    }
}
