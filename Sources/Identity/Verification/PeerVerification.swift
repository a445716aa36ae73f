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
        switch check(chain, bundles) {
        case .success(let identity):
            peerIdentity = identity
            return .accepted
        case .failure(let refusal):
            self.refusal = refusal
            return .refused(refusal.alert)
        }
    }

    /// Whether the peer that was accepted would be accepted under other bundles, for a tunnel that is up: called when
    /// bundles change, on the connection's loop. Certificates are judged as of the handshake: a tunnel outlives the
    /// certificates that it began with, but neither their being taken back nor the end of trust in their root.
    ///
    /// - Parameter chain: what the peer presented in the handshake (`TLSConnection.peerChain`).
    /// - Returns: nil if it would; otherwise why not, `PeerRefusal.endsTunnelsAtOnce` saying how urgent that is.
    package func reverify(chain: [Certificate], bundles: TrustBundles) -> PeerRefusal? {
        guard let peerIdentity else { return PeerRefusal(.peerNotMTLS, "the peer was never accepted") }
        switch check(chain, bundles) {
        case .failure(let refusal): return refusal
        case .success(peerIdentity): return nil
        case .success(let other):
            return PeerRefusal(.sanMismatch, "the peer was \(peerIdentity) and would now be \(other)")
        }
    }

    private func check(_ chain: [Certificate], _ bundles: TrustBundles) -> Result<SPIFFEID, PeerRefusal> {
        guard let leaf = chain.first else { return .failure(PeerRefusal(.peerNotMTLS, "the peer has no certificate")) }
        let identity: SPIFFEID
        if let known = cache?.identity(of: leaf.fingerprint, bundleVersion: bundles.version, at: now) {
            identity = known
        } else {
            switch verifyAfresh(chain, leaf, bundles) {
            case .success(let verified): identity = verified
            case .failure(let refusal): return .failure(refusal)
            }
        }
        // Who is expected differs per connection, so it is never part of what is cached.
        if let refusal = ExpectedIdentityRule.check(identity, against: expectation) { return .failure(refusal) }
        return .success(identity)
    }

    private func verifyAfresh(
        _ chain: [Certificate], _ leaf: Certificate, _ bundles: TrustBundles
    ) -> Result<SPIFFEID, PeerRefusal> {
        let identity: SPIFFEID
        switch SVIDRules.identity(of: leaf) {
        case .success(let found): identity = found
        case .failure(let refusal): return .failure(refusal)
        }
        if let refusal = RevocationRule.check(chain, bundles) ?? ValidityRule.check(leaf, at: now) {
            return .failure(refusal)
        }
        switch TrustDomainRule.check(chain, of: identity, bundles: bundles, at: now) {
        case .success(let validUntil):
            cache?.insert(identity, leaf: leaf, bundleVersion: bundles.version, validUntil: validUntil)
            return .success(identity)
        case .failure(let refusal):
            return .failure(refusal)
        }
    }
}
