internal import Proxy
internal import Synchronization

/// What happened in the last minute, out of totals that only grow.
final class TrafficWindow: Sendable {
    private struct Sample {
        var time: ContinuousClock.Instant
        var totals: ConnectionJournal.Totals
    }

    private static let length = Duration.seconds(60)
    private let samples = Mutex<[Sample]>([])

    /// Notes the totals as of `now`; called about once a second.
    func advance(_ totals: ConnectionJournal.Totals, at now: ContinuousClock.Instant) {
        samples.withLock { samples in
            samples.append(Sample(time: now, totals: totals))
            // One sample older than the window stays, to count from.
            while samples.count > 2, samples[1].time.duration(to: now) > Self.length { samples.removeFirst() }
        }
    }

    /// What came since the beginning of the window.
    func recent(_ totals: ConnectionJournal.Totals) -> ConnectionJournal.Totals {
        guard let start = samples.withLock({ $0.first?.totals }) else { return totals }
        return ConnectionJournal.Totals(
            openedWithMutualTLS: totals.openedWithMutualTLS &- start.openedWithMutualTLS,
            openedInPlaintext: totals.openedInPlaintext &- start.openedInPlaintext,
            closed: totals.closed &- start.closed, denied: totals.denied &- start.denied,
            failed: totals.failed &- start.failed,
            sentBytes: totals.sentBytes &- start.sentBytes, receivedBytes: totals.receivedBytes &- start.receivedBytes)
    }
}
