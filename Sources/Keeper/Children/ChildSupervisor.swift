/// When a child is started, and started again.
///
///     idle ─ startRequested > running ─ exited > (at once, or) waiting ─ restartDue > running
///       any ─ stopRequested > stopping ─ exited > stopped
package struct ChildSupervisor: ~Copyable {
    private enum State {
        case idle
        case running(since: ContinuousClock.Instant)
        case waiting(until: ContinuousClock.Instant)
        case stopping
        case stopped
    }

    private var state = State.idle
    /// Exits in a row of a child that did not live long.
    private var quickExits = 0
    /// How often it was started again.
    package private(set) var restartCount: UInt32 = 0

    /// Between restarts of a child that does not stay alive; the first restart is at once.
    static let firstDelay = Duration.milliseconds(100)
    static let longestDelay = Duration.seconds(5)
    /// A child that lived this long is not in a crash loop.
    static let steadyAfter = Duration.seconds(10)

    package init() {}

    /// Whether a child runs that is meant to.
    package var isRunning: Bool {
        if case .running = state { return true }
        return false
    }

    /// When it is started again; nil if it runs, or is not to be.
    package var restartsAt: ContinuousClock.Instant? {
        if case .waiting(let until) = state { return until }
        return nil
    }

    /// Nothing runs and nothing will.
    package var isStopped: Bool {
        if case .stopped = state { return true }
        return false
    }

    /// What is to be done with the child.
    package enum Action: Equatable, Sendable {
        case none
        /// Start it, then say `started` or `exited`.
        case start
        /// Nothing before then; say `restartDue` at that time.
        case wait(until: ContinuousClock.Instant)
    }

    /// The child is wanted for the first time.
    package mutating func startRequested() -> Action {
        guard case .idle = state else { return .none }
        return .start
    }

    /// The child runs.
    package mutating func started(at now: ContinuousClock.Instant) {
        guard case .stopped = state else {
            state = .running(since: now)
            return
        }
    }

    /// It ended, or could not be started.
    package mutating func exited(at now: ContinuousClock.Instant) -> Action {
        switch state {
        case .stopping, .stopped:
            state = .stopped
            return .none
        case .running(let since):
            if now - since >= Self.steadyAfter { quickExits = 0 }
        case .idle, .waiting:
            break
        }
        restartCount &+= 1
        quickExits += 1
        if quickExits == 1 { return .start }
        let delay = Backoff(first: Self.firstDelay, longest: Self.longestDelay).delay(after: quickExits - 2)
        state = .waiting(until: now + delay)
        return .wait(until: now + delay)
    }

    /// The time that `wait` named has come, or another one.
    package mutating func restartDue(at now: ContinuousClock.Instant) -> Action {
        guard case .waiting(let until) = state else { return .none }
        return now >= until ? .start : .wait(until: until)
    }

    /// It is to end and not to be started again.
    /// - Returns: whether a child runs, so that its exit is still to come.
    package mutating func stopRequested() -> Bool {
        switch state {
        case .running, .stopping:
            state = .stopping
            return true
        case .idle, .waiting, .stopped:
            state = .stopped
            return false
        }
    }
}
