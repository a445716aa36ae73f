package import Mesh

/// Who the peer may be.
package enum PeerExpectation: Hashable, Sendable {
    /// The accepting side: anybody whose trust domain has roots here. What it may do is for policy.
    case anyInTrustedDomains
    /// The dialling side: one of the identities that the destination has. Empty refuses everybody.
    case oneOf(Set<SPIFFEID>)
}
