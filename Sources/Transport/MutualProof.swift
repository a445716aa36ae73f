internal import Identity
package import Mesh

/// What two workloads of this node have proved to each other without a handshake: the worker holds both certificates
/// and asks of each what the peer in a handshake would ask, with the same rules.
package struct MutualProof: Sendable {
    private let source: SVID
    private let destination: SVID
    private let accepted: Set<SPIFFEID>
    /// When it was proved: certificates are judged as of then, as those of a tunnel are as of its handshake.
    private let provedAt: Int64
    /// Of the roots that both were checked against last.
    private var bundleVersion: UInt64

    /// Proves it, or says why a handshake would fail.
    ///
    /// - Parameters:
    ///   - accepted: whom the source expects at the destination.
    ///   - now: wall time, seconds since 1970.
    init(
        _ source: SVID, _ destination: SVID, accepting accepted: Set<SPIFFEID>, bundles: TrustBundles,
        at now: Int64, cache: VerificationCache
    ) throws(PeerRefusal) {
        self.source = source
        self.destination = destination
        self.accepted = accepted
        provedAt = now
        bundleVersion = bundles.version
        try check(bundles, cache)
    }

    /// Who the client is.
    package var sourceIdentity: SPIFFEID { source.identity }

    /// Who the server is.
    package var destinationIdentity: SPIFFEID { destination.identity }

    /// Looks again if roots or revocations have changed; why it does not hold any more, or nil.
    mutating func review(_ bundles: TrustBundles, _ cache: VerificationCache) -> PeerRefusal? {
        guard bundles.version != bundleVersion else { return nil }
        bundleVersion = bundles.version
        do throws(PeerRefusal) {
            try check(bundles, cache)
            return nil
        } catch {
            return error
        }
    }

    /// Of two refusals the one is told that leaves no time.
    private func check(_ bundles: TrustBundles, _ cache: VerificationCache) throws(PeerRefusal) {
        let first = refusal(of: destination, expecting: .oneOf(accepted), bundles, cache)
        if let first, first.endsTunnelsAtOnce { throw first }
        if let refusal = refusal(of: source, expecting: .anyInTrustedDomains, bundles, cache) ?? first { throw refusal }
    }

    private func refusal(
        of svid: SVID, expecting expectation: PeerExpectation, _ bundles: TrustBundles, _ cache: VerificationCache
    ) -> PeerRefusal? {
        let verification = PeerVerification(expecting: expectation, bundles: bundles, at: provedAt, cache: cache)
        _ = verification.verify(chain: svid.chain)
        guard verification.peerIdentity != svid.identity else { return nil }
        return verification.refusal ?? PeerRefusal(.sanMismatch, "the certificate is not \(svid.identity)'s")
    }
}

extension LoopIdentities {
    /// What two workloads of this node prove to each other; nil if a handshake between them would fail, or if that
    /// cannot be told.
    ///
    /// - Parameters:
    ///   - accepted: whom `source` expects.
    ///   - now: wall time, seconds since 1970.
    package func prove(
        _ source: SPIFFEID, to destination: SPIFFEID, accepting accepted: Set<SPIFFEID>, at now: Int64
    ) -> MutualProof? {
        guard let bundles, let client = svid(of: source), let server = svid(of: destination) else { return nil }
        return try? MutualProof(client, server, accepting: accepted, bundles: bundles, at: now, cache: cache)
    }

    /// Why `proof` does not hold any more, as the end of a tunnel would say it; nil if it does.
    package func review(_ proof: inout MutualProof) -> (failure: TunnelFailure, isUrgent: Bool)? {
        guard let bundles, let refusal = proof.review(bundles, cache) else { return nil }
        let detail = "\(proof.sourceIdentity) and \(proof.destinationIdentity) do not trust each other any more: "
        return (
            TunnelFailure(refusal.reason, detail + refusal.text, mayRetryElsewhere: false), refusal.endsTunnelsAtOnce
        )
    }
}
