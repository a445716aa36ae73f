/// How far a drain is: what is asked is to finish what runs and to begin nothing new.
///
///     serving ──drainRequested──> draining ──last stream ends──> finished
///                                    └──deadline──> cut
package struct DrainState: ~Copyable {
    /// What the owner has to do.
    package enum Action: Hashable, Sendable {
        case none
        /// GOAWAY on every session, and no new streams.
        case sayGoAway
        /// Everything has ended: close the sessions.
        case close
        /// The deadline passed: cut the streams that are left, then close.
        case cut
    }

    private enum State {
        case serving
        case draining(deadline: ContinuousClock.Instant)
        case over
    }

    private var state = State.serving
    private var openStreams = 0

    package init() {}

    /// New streams are accepted and opened.
    package var acceptsStreams: Bool {
        switch state {
        case .serving: true
        case .draining, .over: false
        }
    }

    /// When `timerFired` has something to do; nil while nothing is pending.
    package var nextDeadline: ContinuousClock.Instant? {
        switch state {
        case .draining(let deadline): deadline
        case .serving, .over: nil
        }
    }

    /// The pod terminates or the agent goes. A second request may bring the deadline forward, never back.
    ///
    /// - Parameter grace: how long running streams have.
    package mutating func drainRequested(at now: ContinuousClock.Instant, grace: Duration) -> Action {
        let deadline = now.advanced(by: grace)
        switch state {
        case .serving:
            state = .draining(deadline: deadline)
            return .sayGoAway
        case .draining(let earlier):
            state = .draining(deadline: min(earlier, deadline))
            return .none
        case .over:
            return .none
        }
    }

    /// The number of open streams changed to `count`; also to be called after the GOAWAY was said.
    package mutating func streamCountChanged(to count: Int) -> Action {
        openStreams = count
        guard count == 0, case .draining = state else { return .none }
        state = .over
        return .close
    }

    /// The deadline passed; calls before it do nothing.
    package mutating func timerFired(at now: ContinuousClock.Instant) -> Action {
        guard case .draining(let deadline) = state, now >= deadline else { return .none }
        state = .over
        return openStreams == 0 ? .close : .cut
    }
}
