/// How large the receive window of one stream is to be: as much as its application takes in a quarter of a second, so
/// that no round trip of this world stops it, in steps that a burst does not reach. A stream whose application takes
/// nothing never grows.
///
///     initial ──taken fast──> twice ──taken fast──> ... maximum
///        ^────────taken slowly───────┴─────────────────┘
package struct WindowGrowth {
    private var granted: Int32
    private let initial: Int32
    private let maximum: Int32
    /// Since the last decision.
    private var taken: Int32 = 0
    private var since: ContinuousClock.Instant

    /// - Parameter now: the loop's time.
    package init(limits: TunnelLimits = TunnelLimits(), at now: ContinuousClock.Instant) {
        initial = limits.streamWindow
        maximum = max(initial, limits.maxStreamWindow)
        granted = initial
        since = now
    }

    /// What is granted now, in bytes.
    package var size: Int { Int(granted) }

    /// How long a peer may send without an answer, at the rate that was measured.
    static let horizon = Duration.milliseconds(250)

    /// The application took `count` bytes more.
    ///
    /// - Returns: the size that would be right from now on, if that is another; `resized` says that it was granted.
    package mutating func took(_ count: Int, at now: ContinuousClock.Instant) -> Int? {
        taken = Int32(clamping: Int(taken) + count)
        guard taken >= granted / 2 else { return nil }
        let (bytes, time) = (Int(taken), since.duration(to: now))
        taken = 0
        since = now
        return wanted(for: bytes, in: time)
    }

    private func wanted(for bytes: Int, in time: Duration) -> Int? {
        // bytes / time * horizon >= 2 * size, without a division by nothing.
        if Self.horizon * bytes >= time * (2 * size) {
            return granted < maximum ? min(size * 2, Int(maximum)) : nil
        }
        if Self.horizon * (bytes * 4) < time * size {
            return granted > initial ? max(size / 2, Int(initial)) : nil
        }
        return nil
    }

    /// The window is `size` bytes from now on.
    package mutating func resized(to size: Int) { granted = max(initial, min(Int32(clamping: size), maximum)) }

    /// What a window of `size` bytes is beyond what every stream has.
    package func extra(at size: Int) -> Int { max(0, size - Int(initial)) }
}
