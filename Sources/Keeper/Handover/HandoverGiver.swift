/// How far an agent is with handing over to another that just starts.
///
///     idle ── helloReceived > greeted ── claimReceived > offering ── servingReceived > yielded
///      ^                         │                          │
///      └──── connectionEnded, deadlinePassed, malformed ────┘
package struct HandoverGiver: ~Copyable {
    private enum State {
        case idle
        case greeted(since: ContinuousClock.Instant)
        case offering(since: ContinuousClock.Instant)
        case yielded
    }

    private var state = State.idle

    /// Time for the other to claim what it was greeted for.
    package static let greetingLimit = Duration.seconds(5)
    /// Time in which the other's worker must serve.
    package static let offerLimit = Duration.seconds(30)

    package init() {}

    /// Whether another is taking over: nothing is captured or let go meanwhile.
    package var isOffering: Bool {
        if case .offering = state { return true }
        return false
    }

    /// Whether another agent has everything, for good.
    package var hasYielded: Bool {
        if case .yielded = state { return true }
        return false
    }

    /// What an input asks for.
    package enum Action: Equatable, Sendable {
        /// It came at the wrong time, or after the end: ignore it.
        case none
        /// Say who we are.
        case welcome
        /// Say why not, and close.
        case refuse(HandoverRefusal)
        /// Exempt the other, stop changing anything, and tell all.
        case offer
        /// Say so, touch nothing any more, let the worker drain.
        case yield
        /// Nothing was promised yet: close.
        case close
        /// Tell the other that it is off, close, and go on as before.
        case resume
    }

    /// Another agent says who it is.
    /// - Parameters:
    ///   - layout: what it understands.
    ///   - isAllowed: whether it is of user 0.
    ///   - isSettled: whether this agent is in charge itself, and not only taking over.
    package mutating func helloReceived(
        layout: UInt16, isAllowed: Bool, isSettled: Bool, at now: ContinuousClock.Instant
    ) -> Action {
        switch state {
        case .greeted, .offering, .yielded: return .refuse(.busy)
        case .idle: break
        }
        guard isAllowed else { return .refuse(.foreign) }
        guard layout == HandoverLayout.current else { return .refuse(.layout) }
        guard isSettled else { return .refuse(.busy) }
        state = .greeted(since: now)
        return .welcome
    }

    /// It wants everything.
    package mutating func claimReceived(at now: ContinuousClock.Instant) -> Action {
        switch state {
        case .greeted:
            state = .offering(since: now)
            return .offer
        case .offering: return failed()
        // Of a connection that has ended for us already.
        case .idle, .yielded: return .none
        }
    }

    /// Its worker serves.
    package mutating func servingReceived() -> Action {
        switch state {
        case .offering:
            state = .yielded
            return .yield
        case .greeted: return failed()
        // We gave up on it just before, and it will read that.
        case .idle, .yielded: return .none
        }
    }

    /// Its connection ended, or it said what makes no sense.
    package mutating func failed() -> Action {
        switch state {
        case .idle, .yielded: return .none
        case .greeted:
            state = .idle
            return .close
        case .offering:
            state = .idle
            return .resume
        }
    }

    /// Asked now and then.
    package mutating func timePassed(at now: ContinuousClock.Instant) -> Action {
        switch state {
        case .idle, .yielded: return .none
        case .greeted(let since): return now - since >= Self.greetingLimit ? failed() : .none
        case .offering(let since): return now - since >= Self.offerLimit ? failed() : .none
        }
    }
}
