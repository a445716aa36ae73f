/// How large the receive window of one stream is to be: as much as its application takes in a quarter of a second, so
/// that no round trip of this world stops it, in steps that a burst does not reach. A stream whose application takes
/// nothing never grows.
///
///     initial ──taken fast──> twice ──taken fast──> ... maximum
///        ^────────taken slowly───────┴─────────────────┘
package struct WindowGrowth {
    /// What is granted now, in bytes.
    package private(set) var size: Int
    private let initial: Int
    private let maximum: Int
    /// Since the last decision.
    private var taken = 0
    private var since: ContinuousClock.Instant

    /// - Parameter now: the loop's time.
    package init(limits: TunnelLimits = TunnelLimits(), at now: ContinuousClock.Instant) {
        initial = Int(limits.streamWindow)
        maximum = max(initial, Int(limits.maxStreamWindow))
        size = initial
        since = now
    }

    /// How long a peer may send without an answer, at the rate that was measured.
    static let horizon = Duration.milliseconds(250)

    /// The application took `count` bytes more.
    ///
    /// - Returns: the size that would be right from now on, if that is another; `resized` says that it was granted.
    package mutating func took(_ count: Int, at now: ContinuousClock.Instant) -> Int? {
        taken += count
        guard taken >= size / 2 else { return nil }
        let (bytes, time) = (taken, since.duration(to: now))
        taken = 0
        since = now
        return wanted(for: bytes, in: time)
    }

    private func wanted(for bytes: Int, in time: Duration) -> Int? {
        // bytes / time * horizon >= 2 * size, without a division by nothing.
        if Self.horizon * bytes >= time * (2 * size) {
            return size < maximum ? min(size * 2, maximum) : nil
        }
        if Self.horizon * (bytes * 4) < time * size {
            return size > initial ? max(size / 2, initial) : nil
        }
        return nil
    }

    /// The window is `size` bytes from now on.
    package mutating func resized(to size: Int) { self.size = max(initial, min(size, maximum)) }

    /// What a window of `size` bytes is beyond what every stream has.
    package func extra(at size: Int) -> Int { max(0, size - initial) }
}
