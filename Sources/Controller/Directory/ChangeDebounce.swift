/// Waits until a burst of changes is over, but not for ever: several files that are written together are one
/// change, and a file that is written all the time delays no other. What applying costs is rested for, so that no
/// stream of changes takes a core.
struct ChangeDebounce {
    /// So long nothing must change.
    static let quiet = Duration.milliseconds(50)
    /// After this the changes are applied, quiet or not: a change must show within 200 ms.
    static let longest = Duration.milliseconds(120)

    /// Rest after applying, in multiples of what it took.
    static let rest = 3
    /// But no longer than this: a policy among many changes of pods must not wait for them.
    static let longestRest = Duration.seconds(1)

    private var notBefore: ContinuousClock.Instant?
    private var first: ContinuousClock.Instant?
    private(set) var deadline: ContinuousClock.Instant?

    /// Something changed.
    /// - Returns: when `isDue` is to be asked.
    mutating func changed(at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let start = first ?? now
        first = start
        let due = max(min(now + Self.quiet, start + Self.longest), notBefore ?? now)
        deadline = due
        return due
    }

    /// Whether the changes are to be applied now; then the next burst begins.
    mutating func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard let due = deadline, now >= due else { return false }
        first = nil
        deadline = nil
        return true
    }

    /// Applying what was due took `cost` and ended at `now`.
    mutating func applied(in cost: Duration, at now: ContinuousClock.Instant) {
        notBefore = now + min(cost * Self.rest, Self.longestRest)
        if let deadline, let notBefore, deadline < notBefore { self.deadline = notBefore }
    }
}
