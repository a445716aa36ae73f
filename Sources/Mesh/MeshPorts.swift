/// Every port and mark that the mesh uses, in one place (tunnel design, "Ports").
package enum MeshPorts {
    /// Outbound capture in the pod's namespace.
    package static let outbound: UInt16 = 15001
    /// Inbound plaintext capture in the pod's namespace.
    package static let inboundPlaintext: UInt16 = 15006
    /// Inbound HBONE, listened on directly.
    package static let hbone: UInt16 = 15008
    /// DNS, on the pod's loopback.
    package static let dns: UInt16 = 15053
    /// Prometheus metrics, in the agent's namespace.
    package static let metrics: UInt16 = 15020
    /// Readiness, in the agent's namespace.
    package static let readiness: UInt16 = 15021

    /// Ports that are never a final destination: a connection to one of them would loop through the mesh.
    package static func isOwn(_ port: UInt16) -> Bool {
        port == outbound || port == inboundPlaintext || port == hbone || port == dns
    }
}

/// The bits of packet and connection marks that the mesh uses; all other bits belong to the CNI.
package enum MeshMarks {
    /// Only these bits are read or written.
    package static let mask: UInt32 = 0xfff
    /// On every socket of the agent.
    package static let agent: UInt32 = 0x539
    /// On connections from the agent to an application, so that the replies stay local.
    package static let agentToApplication: UInt32 = 0x111
}
