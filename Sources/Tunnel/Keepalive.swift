/// When a session asks whether its peer lives, and when an unused one ends.
package struct KeepaliveLimits: Hashable, Sendable {
    /// Between PINGs while streams are open.
    package var busyInterval: Duration = .seconds(4)
    /// Between PINGs while none is.
    package var idleInterval: Duration = .seconds(10)
    /// From a PING without a sign of life to the peer's death.
    package var answerTimeout: Duration = .seconds(5)
    /// Without streams for this long the session ends.
    package var idleTimeout: Duration = .seconds(300)

    package init() {}
}

/// Whether the peer of a session lives: PING is due, was sent and waits for an answer, or the peer is dead.
///
///     waiting ──timer──> pinged ──any bytes from the peer──> waiting
///                          └──timer──> dead
///
/// Any byte from the peer is a sign of life, as an answer may queue behind payload on a slow link.
package struct Keepalive: Hashable, Sendable {
    /// What the owner of the session has to do.
    package enum Action: Hashable, Sendable {
        case none
        /// Send PING.
        case ping
        /// The peer is dead: close the connection.
        case dead
        /// The session has been unused for too long: GOAWAY, then close.
        case closeIdle
    }

    private let limits: KeepaliveLimits
    private var pingedAt: ContinuousClock.Instant?
    private var lastSign: ContinuousClock.Instant
    private var idleSince: ContinuousClock.Instant?

    /// A session that begins at `now`, without streams.
    package init(limits: KeepaliveLimits, at now: ContinuousClock.Instant) {
        self.limits = limits
        lastSign = now
        idleSince = now
    }

    /// Bytes came from the peer, or it took bytes for which there had been no room.
    package mutating func heardFromPeer(at now: ContinuousClock.Instant) {
        lastSign = max(lastSign, now)
        pingedAt = nil
    }

    /// The number of open streams changed.
    package mutating func streamCountChanged(to count: Int, at now: ContinuousClock.Instant) {
        if count > 0 {
            idleSince = nil
        } else if idleSince == nil {
            idleSince = now
        }
    }

    /// When `timerFired` has something to do.
    package var nextDeadline: ContinuousClock.Instant {
        let probe: ContinuousClock.Instant
        if let pingedAt {
            probe = pingedAt.advanced(by: limits.answerTimeout)
        } else {
            probe = lastSign.advanced(by: idleSince == nil ? limits.busyInterval : limits.idleInterval)
        }
        guard let idleSince else { return probe }
        return min(probe, idleSince.advanced(by: limits.idleTimeout))
    }

    /// The deadline passed; calls before it do nothing.
    package mutating func timerFired(at now: ContinuousClock.Instant) -> Action {
        guard now >= nextDeadline else { return .none }
        if let idleSince, now >= idleSince.advanced(by: limits.idleTimeout) { return .closeIdle }
        guard pingedAt == nil else { return .dead }
        pingedAt = now
        return .ping
    }
}
