package import Addressing
package import Mesh

/// What makes two connections fit for the same session. The source identity is part of it because a session
/// speaks with one certificate: using it for another service account would be an authorisation bypass.
package struct PoolKey: Hashable, Sendable {
    /// Who dials.
    package let source: SPIFFEID
    /// Who may answer.
    package let accepted: Set<SPIFFEID>
    /// Where it is dialled from.
    package let sourceIP: IPAddress
    /// Where to.
    package let destination: TunnelAddress

    package init(source: SPIFFEID, accepted: Set<SPIFFEID>, sourceIP: IPAddress, destination: TunnelAddress) {
        self.source = source
        self.accepted = accepted
        self.sourceIP = sourceIP
        self.destination = destination
    }
}

/// One session of a pool; never used again.
package struct SessionID: Hashable, Sendable {
    /// Counts up from 0 within one pool.
    package let number: Int
    init(number: Int) { self.number = number }
}
