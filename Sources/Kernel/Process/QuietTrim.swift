internal import CLinux
internal import Glibc

/// Decides when a process has become quiet, so that it may give back what only its work needed: free pages of the
/// heap, and the pages of code that nobody runs any more. Starting up alone touches tens of MiB of code.
///
///     busy ── two quiet ticks in a row ──> trim ── eight ──> trim ── a tick that is not ──> busy
///
/// The second time is for what was kept for a while in case that it would be needed again: pools of buffers.
package struct QuietTrim: Sendable {
    /// Quiet is who uses less than this part of one core.
    private static let share = 20
    /// After how many quiet ticks in a row.
    private static let (first, second) = (2, 8)

    private var last: (used: Duration, now: ContinuousClock.Instant)?
    private var quietTicks = 0

    package init() {}

    /// To be called every second or so.
    ///
    /// - Parameters:
    ///   - used: `CurrentProcess.processorTime`.
    ///   - now: the loop's time.
    /// - Returns: whether to call `CurrentProcess.releaseUnusedMemory` now.
    package mutating func ticked(used: Duration, at now: ContinuousClock.Instant) -> Bool {
        defer { last = (used, now) }
        guard let last, last.now < now else { return false }
        guard (used - last.used) * Self.share < last.now.duration(to: now) else {
            quietTicks = 0
            return false
        }
        // It stops at one more than is needed, so that each quiet time is trimmed twice.
        quietTicks = min(quietTicks + 1, Self.second + 1)
        return quietTicks == Self.first || quietTicks == Self.second
    }
}

extension CurrentProcess {
    /// What all threads of this process have run since it began (clock_gettime(2), CLOCK_PROCESS_CPUTIME_ID).
    package static var processorTime: Duration {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .zero }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Gives back free memory of the heap, and unmaps code and constants. What of them is used again comes back from
    /// the page cache, in a fraction of a millisecond altogether; nothing is lost and no file is read.
    package static func releaseUnusedMemory() { mn_release_unused_memory() }
}
