internal import Addressing
internal import Kernel
internal import Mesh

/// The connections that a pod had before it was captured. They stay what they were: plaintext.
struct EarlierConnections {
    private struct Ends: Hashable {
        let local: SocketAddress
        let remote: SocketAddress
    }

    private var ends: Set<Ends>
    private let listeningPorts: Set<UInt16>

    /// Lists those of the namespace that the calling thread is in: what does not stay on the pod itself, and is not the
    /// agent's own.
    init() throws(SystemError) {
        let diagnosis = try SocketDiagnosis()
        listeningPorts = try diagnosis.listeningPorts()
        ends = Set(
            try diagnosis.establishedConnections()
                .filter { !Self.isLocal($0) && !MeshPorts.isOwn($0.local.port) && !MeshPorts.isOwn($0.remote.port) }
                .map { Ends(local: $0.local, remote: $0.remote) })
    }

    /// How many are left, as far as known.
    var count: Int { ends.count }

    /// Forgets those that are gone. Called in the same namespace.
    mutating func refresh() throws(SystemError) {
        let now = try SocketDiagnosis().establishedConnections().map { Ends(local: $0.local, remote: $0.remote) }
        ends.formIntersection(now)
    }

    /// Aborts those that others made to the pod. Called in the same namespace.
    func abortInbound() throws(SystemError) {
        let diagnosis = try SocketDiagnosis()
        for connection in try diagnosis.establishedConnections()
        where ends.contains(Ends(local: connection.local, remote: connection.remote))
            && listeningPorts.contains(connection.local.port)
        {
            try diagnosis.destroy(connection)
        }
    }

    private static func isLocal(_ connection: ListedConnection) -> Bool {
        connection.local.ip.isLoopback || connection.local.ip == connection.remote.ip
    }
}
