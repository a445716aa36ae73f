/// How far the capture of one pod is, from the moment it is wanted.
///
///                    namespaceFound            captureSucceeded
///     ┌> searching ────────────────> capturing ────────────────> captured
///     │      ^  │                        │                        │    │
///     │      │  └ wishWithdrawn > gone   │ captureFailed          │    │ wishWithdrawn
///     │      └───────────────────────────┘                        │    v
///     └──────────────── namespaceLost ────────────────────────────┘  withdrawing ── withdrawalEnded > gone
///                                                                      │
///                        searching <── wishChanged ────────────────────┘
package struct PodEnrolment: ~Copyable {
    private enum State {
        case searching(attempts: Int, due: ContinuousClock.Instant, isFailure: Bool, reason: String)
        case capturing(attempts: Int)
        case captured
        case withdrawing(deadline: ContinuousClock.Instant)
        case gone
    }

    private var state: State

    /// First and longest time between two searches.
    static let firstDelay = Duration.milliseconds(250)
    static let longestDelay = Duration.seconds(5)

    /// The pod is wanted: search for it at once.
    package init(wantedAt now: ContinuousClock.Instant) {
        state = .searching(attempts: 0, due: now, isFailure: false, reason: "looking for its network namespace")
    }

    /// What to tell of it.
    package var report: (state: PodState, detail: String) {
        switch state {
        case .searching(_, _, let isFailure, let reason): (isFailure ? .failed : .pending, reason)
        case .capturing: (.pending, "being captured")
        case .captured: (.captured, "")
        case .withdrawing: (.withdrawn, "its captured connections drain")
        case .gone: (.withdrawn, "")
        }
    }

    /// Whether its new connections are captured.
    package var isCaptured: Bool {
        if case .captured = state { return true }
        return false
    }

    /// Whether its captured connections drain and no new ones are captured.
    package var isWithdrawing: Bool {
        if case .withdrawing = state { return true }
        return false
    }

    /// When its captured connections are to have ended; nil unless it is withdrawing.
    package var withdrawalDeadline: ContinuousClock.Instant? {
        if case .withdrawing(let deadline) = state { return deadline }
        return nil
    }

    /// Whether nothing is open, and it is looked for.
    package var isSearching: Bool {
        if case .searching = state { return true }
        return false
    }

    /// When it is to be searched for next; nil if it is not searched for.
    package var searchDue: ContinuousClock.Instant? {
        if case .searching(_, let due, _, _) = state { return due }
        return nil
    }

    /// No namespace of this machine has one of its addresses.
    package mutating func namespaceNotFound(at now: ContinuousClock.Instant, reason: String) {
        guard case .searching(let attempts, _, _, _) = state else { return }
        search(after: attempts, at: now, isFailure: false, reason: reason)
    }

    /// Its namespace is open: the caller captures it and says how that went.
    package mutating func namespaceFound() {
        guard case .searching(let attempts, _, _, _) = state else { return }
        state = .capturing(attempts: attempts)
    }

    /// Listeners and rules are there.
    package mutating func captureSucceeded() {
        guard case .capturing = state else { return }
        state = .captured
    }

    /// Rules or listeners could not be made, and what was made of them is gone again.
    package mutating func captureFailed(at now: ContinuousClock.Instant, reason: String) {
        guard case .capturing(let attempts) = state else { return }
        search(after: attempts, at: now, isFailure: true, reason: reason)
    }

    /// What the loss of a namespace asks for.
    package enum Loss: Equatable, Sendable {
        /// Let go of what was open in it.
        case release
        /// Nothing was open in it.
        case none
    }

    /// The namespace died, or the address went to another one.
    package mutating func namespaceLost(at now: ContinuousClock.Instant, reason: String) -> Loss {
        switch state {
        case .captured, .capturing:
            state = .searching(attempts: 0, due: now, isFailure: false, reason: reason)
            return .release
        case .withdrawing:
            state = .gone
            return .release
        case .searching, .gone:
            return .none
        }
    }

    /// What a changed wish asks for.
    package enum WishChange: Equatable, Sendable {
        /// Nothing is open yet: the search goes on, at once.
        case search
        /// Give the captured namespace the new rules.
        case apply
        /// It is elsewhere now, or was being let go: close what is open in the namespace without touching its
        /// rules, then search.
        case releaseAndSearch
    }

    /// The controller wants it otherwise, or wants it again.
    /// - Parameter isSameNamespace: whether the namespace that is open has one of the addresses that are wanted now.
    package mutating func wishChanged(at now: ContinuousClock.Instant, isSameNamespace: Bool) -> WishChange {
        let again = State.searching(attempts: 0, due: now, isFailure: false, reason: "its wish changed")
        switch state {
        case .searching, .gone:
            state = again
            return .search
        case .withdrawing:
            state = again
            return .releaseAndSearch
        case .capturing, .captured:
            if isSameNamespace { return .apply }
            state = again
            return .releaseAndSearch
        }
    }

    /// What a withdrawn wish asks for.
    package enum Withdrawal: Equatable, Sendable {
        /// Nothing was captured: forget it.
        case forget
        /// Capture no new connections; those that are captured go on until `withdrawalEnded`.
        case stopCapturing
        /// It is being let go already.
        case none
    }

    /// The controller no longer wants it captured.
    package mutating func wishWithdrawn(at now: ContinuousClock.Instant, drain: Duration) -> Withdrawal {
        switch state {
        case .searching:
            state = .gone
            return .forget
        case .capturing, .captured:
            state = .withdrawing(deadline: now + drain)
            return .stopCapturing
        case .withdrawing, .gone:
            return .none
        }
    }

    /// Whether the rules can be deleted: nothing captured is open, or the time is up. True only once.
    package mutating func withdrawalEnded(at now: ContinuousClock.Instant, openConnections: Int) -> Bool {
        guard case .withdrawing(let deadline) = state, openConnections == 0 || now >= deadline else { return false }
        state = .gone
        return true
    }

    private mutating func search(
        after attempts: Int, at now: ContinuousClock.Instant, isFailure: Bool, reason: String
    ) {
        let delay = Backoff(first: Self.firstDelay, longest: Self.longestDelay).delay(after: attempts)
        state = .searching(attempts: attempts + 1, due: now + delay, isFailure: isFailure, reason: reason)
    }
}

/// Doubles a delay up to a bound.
struct Backoff {
    let first: Duration
    let longest: Duration

    /// The delay before the next attempt when `attempts` were made since the first.
    func delay(after attempts: Int) -> Duration {
        // 2^16 times any first delay is over any bound in use, so the shift cannot overflow.
        min(longest, first * (1 << min(16, max(0, attempts))))
    }
}
