import Mesh
import TLS

/// The chain leads to a root of the trust domain that the leaf names, not of just any that is trusted: a federated
/// domain cannot sign for ours.
enum TrustDomainRule {
    /// Until when the whole path is valid, in seconds since 1970.
    static func check(
        _ chain: [Certificate], of identity: SPIFFEID, bundles: TrustBundles, at now: Int64
    ) -> Result<Int64, PeerRefusal> {
        let domain = identity.trustDomain
        guard let store = bundles.store(of: domain) else {
            return .failure(
                PeerRefusal(.trustDomainMismatch, "the peer \(identity) is of a trust domain that has no roots here"))
        }
        switch store.verifies(chain: chain, at: now, notBeforeTolerance: ValidityRule.clockSkew) {
        case .trusted(let validUntil):
            return .success(validUntil)
        case .expired:
            return .failure(PeerRefusal(.certificateExpired, "a certificate that signed \(identity) has expired"))
        case .notYetValid:
            return .failure(
                PeerRefusal(.certificateNotYetValid, "a certificate that signed \(identity) is not valid yet"))
        case .untrusted(let text):
            return .failure(
                PeerRefusal(
                    .trustDomainMismatch, "the certificate of \(identity) is not from a root of \(domain): \(text)"))
        }
    }
}
