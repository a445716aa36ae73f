internal import HTTP

/// Spreads the RST_STREAM of one session, as peers take many at once for an attack and end the session.
struct ResetPacer {
    private var bucket: TokenBucket
    private var waiting: [(stream: StreamID, code: ResetCode)] = []

    init(limits: TunnelLimits) {
        bucket = TokenBucket(burst: limits.resetBurst, perSecond: limits.resetRate)
    }

    /// Whether the reset may be sent now; otherwise it is kept for `due`.
    mutating func request(_ stream: StreamID, _ code: ResetCode, at now: ContinuousClock.Instant) -> Bool {
        if waiting.isEmpty, bucket.take(at: now) { return true }
        waiting.append((stream, code))
        return false
    }

    /// A waiting reset whose time has come.
    mutating func due(at now: ContinuousClock.Instant) -> (stream: StreamID, code: ResetCode)? {
        guard !waiting.isEmpty, bucket.take(at: now) else { return nil }
        return waiting.removeFirst()
    }

    /// When the next waiting reset may be sent; nil if none waits.
    mutating func nextDeadline(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        waiting.isEmpty ? nil : bucket.availability(at: now)
    }
}
