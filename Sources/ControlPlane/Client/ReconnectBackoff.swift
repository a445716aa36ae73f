/// How long to wait before the next attempt to connect: 100 ms at first, twice as long after each failure, 10 s at most,
/// and a fifth more or less so that the nodes of a mesh do not all come at once.
package struct ReconnectBackoff: Hashable, Sendable {
    /// A connection that lasted as long was a good one.
    static let enough = Duration.seconds(5)
    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(10)
    /// Two agents of one node, of which one succeeds the other, would take the connection from each other for ever. The
    /// older one ends in the meantime, or goes on alone.
    static let afterDisplacement = Duration.seconds(10)

    private var next = Self.first

    package init() {}

    /// A connection ended, or did not come about.
    /// - Parameters:
    ///   - lasted: for how long it was there; zero if it was not.
    ///   - draw: a random number from 0 through 1.
    /// - Returns: how long to wait.
    package mutating func ended(lasted: Duration, draw: Double) -> Duration {
        if lasted >= Self.enough { next = Self.first }
        // The product of a duration of at most 10 s and a number below 1.2.
        let wait = next * (0.8 + 0.4 * min(1, max(0, draw)))
        next = min(next * 2, Self.longest)
        return min(wait, Self.longest)
    }
}
