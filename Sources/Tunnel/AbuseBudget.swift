internal import HTTP

/// How many stream resets one peer identity may cost us, over all its sessions of a loop. Confined to the loop.
///
/// A reset of a stream that was not answered yet is what a rapid-reset attack is made of, as no stream limit
/// bounds it; one after the answer is the end of an ordinary connection and counts a tenth.
package final class ResetBudget {
    private static let answeredCost = 0.1
    private var bucket: TokenBucket

    /// - Parameters:
    ///   - burst: unanswered resets at once.
    ///   - perSecond: unanswered resets per second in the long run.
    package init(burst: Double = 4000, perSecond: Double = 1000) {
        bucket = TokenBucket(burst: burst, perSecond: perSecond)
    }

    func allows(unanswered: Int, answered: Int, at now: ContinuousClock.Instant) -> Bool {
        bucket.take(Double(unanswered) + Double(answered) * Self.answeredCost, at: now)
    }

    /// Nothing of it is spent: one made anew would be the same.
    func isUnspent(at now: ContinuousClock.Instant) -> Bool { bucket.isFull(at: now) }
}

/// What a session accepts of frames that cost the receiver more than the sender. Rates are far above what an honest
/// peer does, and traffic earns more: probes of the bandwidth and credit grow with it.
struct AbuseBudget {
    private var emptyData = TokenBucket(burst: 500, perSecond: 100)
    private var pings = TokenBucket(burst: 500, perSecond: 50)
    private var settings = TokenBucket(burst: 50, perSecond: 2)
    private var windowUpdates = TokenBucket(burst: 5000, perSecond: 500)
    private var continuations = TokenBucket(burst: 200, perSecond: 20)
    private var others = TokenBucket(burst: 2000, perSecond: 200)

    /// Charges what one input held; the kind of the first budget that is overdrawn.
    mutating func charge(_ counts: FrameCounts, sentFrames: Int, at now: ContinuousClock.Instant) -> AbuseKind? {
        let payloadFrames = Double(counts.data - counts.emptyData)
        pings.earn(payloadFrames)
        emptyData.earn(payloadFrames)
        windowUpdates.earn(Double(sentFrames) * 4 + Double(counts.headers) * 2)
        others.earn(Double(counts.headers) * 2)
        guard Self.take(counts.emptyData, from: &emptyData, at: now) else { return .emptyData }
        guard Self.take(counts.pings, from: &pings, at: now) else { return .ping }
        guard Self.take(counts.settings, from: &settings, at: now) else { return .settings }
        guard Self.take(counts.windowUpdates, from: &windowUpdates, at: now) else { return .windowUpdate }
        guard Self.take(counts.continuations, from: &continuations, at: now) else { return .continuation }
        guard Self.take(counts.others, from: &others, at: now) else { return .other }
        return nil
    }

    private static func take(_ count: Int, from bucket: inout TokenBucket, at now: ContinuousClock.Instant) -> Bool {
        count == 0 || bucket.take(Double(count), at: now)
    }
}
