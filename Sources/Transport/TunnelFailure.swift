package import Mesh
package import Tunnel

/// Why a tunnel, or the streams in it, came to an end.
package struct TunnelFailure: Error, Hashable, Sendable {
    package let reason: Reason
    /// What failed, for whom, and the likely cause.
    package let detail: String
    /// Nothing of the stream reached an application, so another endpoint may be tried.
    package let mayRetryElsewhere: Bool
    /// How the peer abused HTTP/2, with `h2Abuse`.
    package let abuse: AbuseKind?
    /// Who the peer is, if it had proved that.
    package internal(set) var peer: SPIFFEID?

    /// The same, if something of the stream may have reached an application.
    var final: TunnelFailure {
        guard mayRetryElsewhere else { return self }
        var failure = TunnelFailure(reason, detail, mayRetryElsewhere: false, abuse: abuse)
        failure.peer = peer
        return failure
    }

    package init(_ reason: Reason, _ detail: String, mayRetryElsewhere: Bool, abuse: AbuseKind? = nil) {
        self.reason = reason
        self.detail = detail
        self.mayRetryElsewhere = mayRetryElsewhere
        self.abuse = abuse
    }
}
