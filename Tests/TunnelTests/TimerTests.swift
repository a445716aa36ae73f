import Testing
import Tunnel

@Suite struct `A keepalive` {
    private let start = ContinuousClock.now

    @Test func `asks a busy peer every four seconds and gives it five to answer`() {
        var keepalive = Keepalive(limits: KeepaliveLimits(), at: start)
        keepalive.streamCountChanged(to: 1, at: start)
        #expect(keepalive.nextDeadline == start.advanced(by: .seconds(4)))
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(3))) == .none)
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(4))) == .ping)
        #expect(keepalive.nextDeadline == start.advanced(by: .seconds(9)))
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(8))) == .none)
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(9))) == .dead)
    }

    @Test func `takes any byte of the peer for a sign of life`() {
        var keepalive = Keepalive(limits: KeepaliveLimits(), at: start)
        keepalive.streamCountChanged(to: 1, at: start)
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(4))) == .ping)
        keepalive.heardFromPeer(at: start.advanced(by: .seconds(8)))
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(9))) == .none)
        #expect(keepalive.nextDeadline == start.advanced(by: .seconds(12)))
    }

    @Test func `asks an idle peer every ten seconds and ends the session after five minutes`() {
        var keepalive = Keepalive(limits: KeepaliveLimits(), at: start)
        var now = start
        var pings = 0
        var last = Keepalive.Action.none
        while last != .closeIdle, pings < 100 {
            now = keepalive.nextDeadline
            last = keepalive.timerFired(at: now)
            if last == .ping {
                pings += 1
                keepalive.heardFromPeer(at: now)
            }
        }
        #expect(now == start.advanced(by: .seconds(300)))
        #expect(pings == 29)
    }

    @Test func `starts the idle time anew when a stream was used`() {
        var keepalive = Keepalive(limits: KeepaliveLimits(), at: start)
        keepalive.streamCountChanged(to: 1, at: start.advanced(by: .seconds(200)))
        keepalive.streamCountChanged(to: 0, at: start.advanced(by: .seconds(250)))
        keepalive.heardFromPeer(at: start.advanced(by: .seconds(545)))
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(549))) == .none)
        #expect(keepalive.timerFired(at: start.advanced(by: .seconds(550))) == .closeIdle)
    }

    @Test func `of a session is answered by the other end`() throws {
        let pair = try TunnelPair()
        _ = try pair.connect()
        pair.now = pair.now.advanced(by: .seconds(4))
        try pair.dialler.session.timerFired(at: pair.now)
        pair.exchange()
        #expect(pair.dialler.log.last == .pong)
        #expect(pair.dialler.session.nextDeadline(at: pair.now) == pair.now.advanced(by: .seconds(4)))
    }

    @Test func `of a session with a silent peer throws`() throws {
        let pair = try TunnelPair()
        _ = try pair.connect()
        pair.now = pair.now.advanced(by: .seconds(4))
        try pair.dialler.session.timerFired(at: pair.now)
        pair.now = pair.now.advanced(by: .seconds(5))
        #expect(throws: TunnelError.self) { try pair.dialler.session.timerFired(at: pair.now) }
    }

    @Test func `ends an unused session with GOAWAY first`() throws {
        let pair = try TunnelPair()
        pair.now = pair.now.advanced(by: .seconds(300))
        try pair.dialler.session.timerFired(at: pair.now)
        #expect(!pair.dialler.session.isOver)
        pair.exchange()
        #expect(pair.dialler.session.isOver)
        #expect(pair.accepter.log.last == .draining)
    }
}
