/// The change of root that an authority is in the middle of: two roots are trusted, one of them signs.
///
///     (A) --begin--> begun: A signs, A and B trusted --activate--> activated: B signs, A and B trusted --finish--> (B)
///      ^               |      ^                                        |
///      +----abort------+      +----------------abort-------------------+
///
/// Nobody is cut off at any step: who signs is trusted everywhere before it signs, and nothing stops being trusted
/// while certificates of it may be in use.
package struct RootRotation: Hashable, Sendable, Codable {
    /// Which step was taken last.
    package enum State: String, Hashable, Sendable, Codable {
        /// The old root signs, both are trusted.
        case begun
        /// The new root signs, both are trusted.
        case activated
    }

    /// The step taken last.
    package var state: State
    /// When, in seconds since 1970.
    package var since: Int64
    /// Last second in which a certificate of the root that does not sign may be valid, since 1970; nil if it has never
    /// signed.
    package var otherRootNeededUntil: Int64?

    package init(state: State, since: Int64, otherRootNeededUntil: Int64?) {
        self.state = state
        self.since = since
        self.otherRootNeededUntil = otherRootNeededUntil
    }

    /// How long workloads may take to hear of a new root, in seconds: it is sent to them at once, and who is away gets
    /// it before anything else.
    static let announcementInSeconds: Int64 = 5
}
