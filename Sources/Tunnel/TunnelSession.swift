internal import HTTP

/// HBONE on one TLS connection: CONNECT streams over HTTP/2, in either role, as a byte machine. It does no I/O and
/// reads no clock: bytes and times are arguments.
///
/// Confined to its loop. The owner has one outgoing `ByteBuffer` of plaintext for the session, and per wake-up does:
///
///     try session.receive(plaintext, at: now)             // decrypted bytes, if any came
///     while let event = session.nextEvent(at: now) {      // all of them, before the next receive
///         switch event {
///         case .connectRequested(let stream):             // accepting side
///             switch session.request(of: stream) {
///             case .success(let request): ...             // check, policy, connect; then accept() or refuse()
///             case .failure(let refusal): session.refuse(stream, status: refusal.status)
///             }
///         case .data(let stream, let token, let offset, let count):
///             ...                                         // write plaintext[offset ..< offset + count] to the app,
///             session.consume(stream, written)            // keep the rest; credit only for what was written
///         ...
///         }
///     }
///     // for each application with bytes to send:
///     try session.sendInPlace(stream, into: &out) { space in readv(fd, segments of space) }   // 0 at would-block or EOF
///     session.finish(stream)                              // at the application's EOF
///     try session.drain(into: &out)                       // always last: control frames, FINs, resets
///     while let event = session.nextEvent(at: now) { ... }    // sending closes streams, too
///     // seal and send `out`; set the timer to `nextDeadline`; close when `isOver` and `out` is empty
///
/// After any error: drain once more (it holds the GOAWAY), flush what the socket takes, close, and fail every
/// stream of this session.
package final class TunnelSession {
    /// Bytes in front of each payload for its frame header.
    package static let frameGap = 9
    /// Payload bytes of one frame at most.
    package static let maxPayload = 16_375

    package let role: TunnelRole
    let limits: TunnelLimits
    let http: HTTP2Session
    private var resetBudget: ResetBudget
    private var abuse = AbuseBudget()
    private var keepalive: Keepalive
    var pacer: ResetPacer
    var scratch = HeaderBlock()
    /// DATA frames sent since the last input: what a peer's WINDOW_UPDATEs are measured against.
    var sentFrames = 0
    /// We have said GOAWAY, or are about to.
    package internal(set) var isGoingAway = false
    /// The final GOAWAY waits for the answer to the PING behind the announcement.
    private var finalGoAwayWaits = false

    /// Begins a session; its preface waits to be drained.
    ///
    /// - Parameters:
    ///   - resetBudget: shared by all sessions of this loop with the same peer identity.
    ///   - now: the loop's time.
    package init(
        role: TunnelRole, limits: TunnelLimits = TunnelLimits(), resetBudget: ResetBudget = ResetBudget(),
        at now: ContinuousClock.Instant
    ) throws(TunnelError) {
        self.role = role
        self.limits = limits
        self.resetBudget = resetBudget
        keepalive = Keepalive(limits: limits.keepalive, at: now)
        pacer = ResetPacer(limits: limits)
        do {
            http = try HTTP2Session(role: role == .dialling ? .client : .server, limits: limits.http2(role))
        } catch {
            throw TunnelError(error)
        }
    }

    /// From now on charges resets to `budget`: the peer's identity is known, and its other sessions share it.
    package func share(_ budget: ResetBudget) { resetBudget = budget }

    /// Streams that are open, those included that only wait for their last frame or reset.
    package var openStreamCount: Int { http.openStreamCount }

    /// No stream is open.
    package var isIdle: Bool { http.openStreamCount == 0 }

    /// The peer sent GOAWAY or we did: no new streams, open ones go on.
    package var isDraining: Bool { isGoingAway || http.hasReceivedGoAway }

    /// The connection can be closed once the outgoing buffer is empty.
    package var isOver: Bool { http.isOver || (isDraining && isIdle && !finalGoAwayWaits && http.hasNothingToSend) }

    /// Why the session is over, if either side ended it with an error; nil if it ends in good order, or goes on.
    package var fault: TunnelError? {
        guard let code = http.fatalCode else { return nil }
        return http.wasEndedByPeer
            ? TunnelError(.http2(.endedByPeer), "the peer ended the session with \(code)")
            : TunnelError(.http2(.protocolBroken), "the peer broke the protocol and was told \(code)")
    }

    /// Parses all of `plaintext`. Afterwards take the events until there are none: those for payload and requests
    /// refer to this span.
    ///
    /// - Throws: when the session must end: the peer broke HTTP/2 or floods us.
    package func receive(_ plaintext: RawSpan, at now: ContinuousClock.Instant) throws(TunnelError) {
        do {
            try http.receive(plaintext)
        } catch {
            throw TunnelError(error)
        }
        keepalive.heardFromPeer(at: now)
        try chargeFrames(at: now)
    }

    private func chargeFrames(at now: ContinuousClock.Instant) throws(TunnelError) {
        let counts = http.counts
        guard counts != FrameCounts() else { return }
        http.counts = FrameCounts()
        var kind = abuse.charge(counts, sentFrames: sentFrames, at: now)
        sentFrames = 0
        if kind == nil, counts.resetsUnanswered + counts.resetsAnswered > 0,
            !resetBudget.allows(unanswered: counts.resetsUnanswered, answered: counts.resetsAnswered, at: now)
        {
            kind = .rapidReset
        }
        guard let kind else { return }
        http.terminate(.enhanceYourCalm)
        throw TunnelError(.abuse(kind), "the peer sent more \(kind.rawValue) frames than any honest one does")
    }

    /// The next event, in order; nil when all are taken.
    package func nextEvent(at now: ContinuousClock.Instant) -> TunnelEvent? {
        while let event = http.nextEvent() {
            if let event = translate(event) { return event }
        }
        keepalive.streamCountChanged(to: http.openStreamCount, at: now)
        return nil
    }

    private func translate(_ event: HTTP2Event) -> TunnelEvent? {
        switch event {
        case .request(let stream): return .connectRequested(stream)
        case .response(let stream, let token, let status): return answered(stream, token: token, status: status)
        case .data(let stream, let token, let offset, let count):
            return .data(stream, token: token, offset: offset, count: count)
        case .finished(let stream, let token): return .finished(stream, token: token)
        case .closed(let stream, let token, nil): return .closed(stream, token: token)
        case .closed(let stream, let token, let code?):
            return .reset(stream, token: token, code: code, wasProcessed: code != .refusedStream)
        case .writable(let stream, let token): return .writable(stream, token: token)
        case .goAway: return .draining
        case .pong:
            finishAnnouncedGoAway()
            return .pong
        case .settings: return .settingsReceived
        }
    }

    /// A refused stream is over for the caller; our end of it is closed in good order.
    private func answered(_ stream: StreamID, token: Int, status: Int) -> TunnelEvent {
        guard (200...299).contains(status) else {
            http.finish(stream)
            http.ignore(stream)
            return .connectRefused(stream, token: token, status: status)
        }
        return .connectAccepted(stream, token: token)
    }

    /// The socket took bytes again after it had been full: a sign of life from the peer's TCP.
    package func outputProgressed(at now: ContinuousClock.Instant) {
        keepalive.heardFromPeer(at: now)
    }

    /// When `timerFired` has something to do.
    package func nextDeadline(at now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard let reset = pacer.nextDeadline(at: now) else { return keepalive.nextDeadline }
        return min(reset, keepalive.nextDeadline)
    }

    /// Sends what is due: PING, resets that had to wait, the GOAWAY of an idle session. Drain afterwards.
    ///
    /// - Throws: `peerSilent` if PING was not answered in time.
    package func timerFired(at now: ContinuousClock.Instant) throws(TunnelError) {
        keepalive.streamCountChanged(to: http.openStreamCount, at: now)
        while let due = pacer.due(at: now) { http.reset(due.stream, due.code) }
        switch keepalive.timerFired(at: now) {
        case .none: break
        case .ping: http.ping()
        case .closeIdle: goAwayNow()
        case .dead:
            throw TunnelError(.peerSilent, "the peer answered no PING within \(limits.keepalive.answerTimeout)")
        }
    }

    /// Begins to drain: no new streams, open ones go on until they end or the owner's deadline. The accepting side
    /// announces it first and names the last stream a round trip later, so that no stream under way is lost.
    package func goAway() {
        guard !isGoingAway else { return }
        isGoingAway = true
        switch role {
        case .dialling: http.goAway(.noError)
        case .accepting:
            http.announceGoAway()
            http.ping()
            finalGoAwayWaits = true
        }
    }

    /// Says the last word of a drain at once: streams that come later are not processed.
    package func goAwayNow() {
        isGoingAway = true
        finalGoAwayWaits = false
        http.goAway(.noError)
    }

    private func finishAnnouncedGoAway() {
        guard finalGoAwayWaits else { return }
        goAwayNow()
    }
}
