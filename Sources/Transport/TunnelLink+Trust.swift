internal import Identity
internal import Kernel
internal import Mesh
internal import TLS
internal import Tunnel

/// What a tunnel's certificates are worth while it is up: a handshake proves them once, and trust may end before the
/// tunnel does.
extension TunnelLink {
    /// Certificates, roots or revocations of this loop may have changed.
    ///
    /// - Parameters:
    ///   - now: wall time, seconds since 1970.
    ///   - grace: how long streams run on if the peer is not trusted any more.
    func review(_ identities: LoopIdentities, at now: Int64, grace: Duration) {
        guard isEstablished, !isOver else { return }
        reviewPeer(identities, grace: grace)
        guard !isOver else { return }
        reviewOwnCertificate(identities, at: now)
        scheduleTimer()
    }

    private func reviewPeer(_ identities: LoopIdentities, grace: Duration) {
        guard let bundles = identities.bundles, bundles.version != bundleVersion else { return }
        bundleVersion = bundles.version
        guard let refusal = verification.reverify(chain: tls.peerChain, bundles: bundles) else { return }
        let failure = TunnelFailure(
            refusal.reason, "\(peerText) is not trusted any more: \(refusal.text)", mayRetryElsewhere: false)
        guard !refusal.endsTunnelsAtOnce, !session.isIdle else { return end(failure) }
        guard cut == nil else { return }
        cut = (resources.loop.now.advanced(by: grace), failure)
        // Nothing that comes from now on is processed: whoever it is has to show a certificate that is trusted.
        session.goAwayNow()
        owner?.linkDraining(self)
        queueFlush()
    }

    /// It drains when its own certificate expires; once there is a newer one, earlier; at once if there is none.
    private func reviewOwnCertificate(_ identities: LoopIdentities, at now: Int64) {
        guard !session.isDraining else { return }
        guard let current = identities.version(of: credentials.identity) else { return retire() }
        let target = current == credentials.version ? credentials.notAfter : credentials.replacedFrom
        let (rest, overflow) = target.subtractingReportingOverflow(now)
        // A century is as good as never, and no sum of it overflows.
        retirement = resources.loop.now.advanced(by: .seconds(overflow ? 0 : min(max(0, rest), 3_000_000_000)))
    }

    /// Takes no new streams; those that run, run on for as long as they like.
    func retire() {
        retirement = nil
        guard !isOver, !session.isDraining else { return }
        owner?.linkDraining(self)
        drain()
    }
}
