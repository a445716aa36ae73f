package import Mesh

/// How fast pods may be un-enrolled: a controller that has gone wrong, or was taken, does not open the whole node at
/// once. What is beyond it is done later, in the order in which it was asked for.
package struct UnenrolmentBudget {
    /// Un-enrolments that may follow each other at once.
    package static let burst = 50
    /// Time in which one more is allowed: ten a second.
    static let interval = Duration.milliseconds(100)

    /// What becomes of a request.
    package enum Decision: Equatable, Sendable {
        case now
        /// So many are done before it.
        case later(position: Int)
    }

    private var available = Self.burst
    /// When `available` was last brought up to date; nil: it is full.
    private var countedAt: ContinuousClock.Instant?
    private var queue: [WorkloadUID] = []

    /// How many had to wait, in all.
    package private(set) var delayedCount: UInt32 = 0

    package init() {}

    /// Those that wait, in order.
    package var waiting: [WorkloadUID] { queue }

    /// This pod is to be un-enrolled.
    package mutating func asked(_ uid: WorkloadUID, at now: ContinuousClock.Instant) -> Decision {
        if let position = queue.firstIndex(of: uid) { return .later(position: position) }
        refill(at: now)
        if queue.isEmpty, take(at: now) { return .now }
        queue.append(uid)
        delayedCount &+= 1
        return .later(position: queue.count - 1)
    }

    /// It is wanted again, or gone by itself.
    package mutating func cancelled(_ uid: WorkloadUID) {
        queue.removeAll { $0 == uid }
    }

    /// Those whose turn has come; they wait no longer.
    package mutating func due(at now: ContinuousClock.Instant) -> [WorkloadUID] {
        refill(at: now)
        var due: [WorkloadUID] = []
        while let first = queue.first, take(at: now) {
            due.append(first)
            queue.removeFirst()
        }
        return due
    }

    private mutating func take(at now: ContinuousClock.Instant) -> Bool {
        guard available > 0 else { return false }
        available -= 1
        if countedAt == nil { countedAt = now }
        return true
    }

    private mutating func refill(at now: ContinuousClock.Instant) {
        guard let since = countedAt, now > since else { return }
        let missing = Self.burst - available
        // After this long it is full again whatever the time says, so the quotient is small.
        if now - since >= Self.interval * missing {
            available = Self.burst
            countedAt = nil
            return
        }
        let earned = Int((now - since) / Self.interval)
        available += earned
        countedAt = since + Self.interval * earned
    }
}
