package import Mesh
package import TLS

/// The verification of one connection's peer: the rules in the order in which a failure says most, the verdict kept
/// for telemetry and policy. Confined to the connection's loop.
package final class PeerVerification: PeerVerifier {
    /// Who the peer is; nil until it was accepted.
    package private(set) var peerIdentity: SPIFFEID?
    /// Why it was refused; nil until it was.
    package private(set) var refusal: PeerRefusal?

    private let expectation: PeerExpectation
    private let bundles: TrustBundles
    private let now: Int64
    private let cache: VerificationCache?

    /// - Parameters:
    ///   - bundles: the roots as of now.
    ///   - now: wall time as the connection begins, seconds since 1970.
    ///   - cache: the loop's; nil verifies afresh.
    package init(
        expecting expectation: PeerExpectation, bundles: TrustBundles, at now: Int64, cache: VerificationCache? = nil
    ) {
        self.expectation = expectation
        self.bundles = bundles
        self.now = now
        self.cache = cache
    }

    package func verify(chain: [Certificate]) -> PeerVerdict {
        switch check(chain) {
        case .success(let identity):
            peerIdentity = identity
            return .accepted
        case .failure(let refusal):
            self.refusal = refusal
            return .refused(refusal.alert)
        }
    }

    private func check(_ chain: [Certificate]) -> Result<SPIFFEID, PeerRefusal> {
        guard let leaf = chain.first else { return .failure(PeerRefusal(.peerNotMTLS, "the peer has no certificate")) }
        let identity: SPIFFEID
        if let known = cache?.identity(of: leaf.fingerprint, bundleVersion: bundles.version, at: now) {
            identity = known
        } else {
            switch verifyAfresh(chain, leaf) {
            case .success(let verified): identity = verified
            case .failure(let refusal): return .failure(refusal)
            }
        }
        // Who is expected differs per connection, so it is never part of what is cached.
        if let refusal = ExpectedIdentityRule.check(identity, against: expectation) { return .failure(refusal) }
        return .success(identity)
    }

    private func verifyAfresh(_ chain: [Certificate], _ leaf: Certificate) -> Result<SPIFFEID, PeerRefusal> {
        let identity: SPIFFEID
        switch SVIDRules.identity(of: leaf) {
        case .success(let found): identity = found
        case .failure(let refusal): return .failure(refusal)
        }
        if let refusal = ValidityRule.check(leaf, at: now) { return .failure(refusal) }
        switch TrustDomainRule.check(chain, of: identity, bundles: bundles, at: now) {
        case .success(let validUntil):
            cache?.insert(identity, leaf: leaf, bundleVersion: bundles.version, validUntil: validUntil)
            return .success(identity)
        case .failure(let refusal):
            return .failure(refusal)
        }
    }
}
