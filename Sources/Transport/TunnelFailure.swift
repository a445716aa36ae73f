package import Mesh

/// Why a tunnel, or the streams in it, came to an end.
package struct TunnelFailure: Error, Hashable, Sendable {
    package let reason: Reason
    /// What failed, for whom, and the likely cause.
    package let detail: String
    /// Nothing of the stream reached an application, so another endpoint may be tried.
    package let mayRetryElsewhere: Bool

    package init(_ reason: Reason, _ detail: String, mayRetryElsewhere: Bool) {
        self.reason = reason
        self.detail = detail
        self.mayRetryElsewhere = mayRetryElsewhere
    }
}
