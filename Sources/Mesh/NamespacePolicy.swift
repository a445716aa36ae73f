/// What holds for the pods of one namespace besides who may talk to whom: the resource `MeshPolicy`, decided.
package struct NamespacePolicy: Hashable, Sendable {
    /// What its pods may reach outside the mesh.
    package var egress: EgressMode
    /// How much one of its pods may be asked to carry.
    package var limits: ConnectionLimits

    package init(egress: EgressMode = .allow, limits: ConnectionLimits = ConnectionLimits()) {
        self.egress = egress
        self.limits = limits
    }
}

/// Bounds per workload; nil where there is none.
package struct ConnectionLimits: Hashable, Sendable {
    /// Connections that one workload may have open at once, in both directions together; at least 1.
    package var connectionsPerWorkload: Int?
    /// Connections that may be opened to or from one workload within a second; at least 1.
    package var newConnectionsPerSecond: Int?
    /// Streams that one peer may have open at once in a tunnel to one workload; at least 1.
    package var streamsPerPeer: Int?

    package init(
        connectionsPerWorkload: Int? = nil, newConnectionsPerSecond: Int? = nil, streamsPerPeer: Int? = nil
    ) {
        self.connectionsPerWorkload = connectionsPerWorkload
        self.newConnectionsPerSecond = newConnectionsPerSecond
        self.streamsPerPeer = streamsPerPeer
    }

    /// Whether nothing is bounded.
    package var isEmpty: Bool { self == ConnectionLimits() }
}
