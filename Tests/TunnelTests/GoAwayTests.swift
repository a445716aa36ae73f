import HTTP
import Testing
import Tunnel

@Suite struct `GOAWAY` {
    @Test func `lets running streams end and tells which were never processed`() throws {
        let pair = try TunnelPair()
        let (running, accepted) = try pair.connect(token: 1)
        try pair.dialler.send(running, pattern(1000))
        pair.accepter.session.goAwayNow()
        // Under way when the GOAWAY was said: the peer must be able to send it elsewhere.
        let late = try pair.open(token: 2)
        try pair.dialler.send(late, pattern(500))
        let inFlight = pair.dialler.drain(at: pair.now)
        pair.deliver(from: pair.accepter, to: pair.dialler)
        pair.accepter.receive(inFlight[...], at: pair.now)
        pair.exchange()
        #expect(pair.dialler.log.contains(.draining))
        #expect(pair.dialler.log.contains(.reset(late, token: 2, code: .refusedStream, wasProcessed: false)))
        #expect(!pair.dialler.session.canOpenStream)
        #expect(throws: TunnelError.self) { try pair.open() }
        try pair.accepter.send(accepted, pattern(2000))
        pair.exchange()
        #expect(pair.dialler.received[running.number] == pattern(2000))
        #expect(pair.accepter.received[running.number] == pattern(1000))
        #expect(!pair.dialler.session.isOver)
        pair.dialler.session.finish(running)
        pair.accepter.session.finish(accepted)
        pair.exchange()
        #expect(pair.dialler.session.isOver && pair.accepter.session.isOver)
    }

    @Test func `announced first, loses no stream that was under way`() throws {
        let pair = try TunnelPair()
        pair.accepter.session.goAway()
        let late = try pair.open(token: 2)
        let inFlight = pair.dialler.drain(at: pair.now)
        let announcement = pair.accepter.drain(at: pair.now)
        pair.accepter.receive(inFlight[...], at: pair.now)
        pair.dialler.receive(announcement[...], at: pair.now)
        pair.exchange()
        #expect(pair.dialler.log.contains(.connectAccepted(late, token: 2)))
        #expect(!pair.dialler.session.canOpenStream)
        #expect(!pair.accepter.session.isOver)
        pair.dialler.session.reset(late, code: .cancel, at: pair.now)
        pair.exchange()
        #expect(pair.accepter.session.isOver)
    }

    @Test func `of the dialling side keeps its own streams`() throws {
        let pair = try TunnelPair()
        let (stream, _) = try pair.connect()
        pair.dialler.session.goAway()
        pair.exchange()
        #expect(!pair.dialler.session.canOpenStream)
        try pair.dialler.send(stream, pattern(100))
        pair.exchange()
        #expect(pair.accepter.received[stream.number] == pattern(100))
        #expect(pair.accepter.session.isDraining)
    }

    @Test func `a request that a GOAWAY overtook before it was sent counts as never processed`() throws {
        let pair = try TunnelPair()
        _ = try pair.connect(token: 1)
        let late = try pair.open(token: 2)
        pair.accepter.session.goAwayNow()
        pair.deliver(from: pair.accepter, to: pair.dialler)
        pair.exchange()
        #expect(pair.dialler.log.contains(.reset(late, token: 2, code: .refusedStream, wasProcessed: false)))
        #expect(pair.dialler.session.openStreamCount == 1)
    }

    @Test func `without streams ends the session at once`() throws {
        let pair = try TunnelPair()
        pair.dialler.session.goAwayNow()
        #expect(!pair.dialler.session.isOver)
        pair.exchange()
        #expect(pair.dialler.session.isOver && pair.accepter.session.isOver)
    }

    @Test func `a peer that breaks the protocol is told and the session ends`() throws {
        let pair = try TunnelPair()
        // DATA on a stream that was never opened.
        pair.accepter.receive([0, 0, 1, 0, 0, 0, 0, 0, 9, 65], at: pair.now)
        let goodbye = pair.accepter.drain(at: pair.now)
        #expect(goodbye.count >= 17 && goodbye[3] == 7)
        #expect(pair.accepter.session.isOver)
        pair.dialler.receive(goodbye[...], at: pair.now)
        #expect(pair.dialler.session.isOver)
        #expect(!pair.dialler.session.canOpenStream)
        // Neither side takes this for a drain.
        #expect(pair.accepter.session.fault?.code == .http2(.protocolBroken))
        #expect(pair.accepter.session.fault?.message.contains("PROTOCOL_ERROR") == true)
        #expect(pair.dialler.session.fault?.code == .http2(.endedByPeer))
    }

    @Test func `a drain is no fault of anybody`() throws {
        let pair = try TunnelPair()
        pair.accepter.session.goAway()
        pair.exchange()
        #expect(pair.accepter.session.isOver && pair.dialler.session.isOver)
        #expect(pair.accepter.session.fault == nil && pair.dialler.session.fault == nil)
    }

    @Test func `a peer that does not speak HTTP/2 is told and the session ends`() throws {
        let end = try TunnelEnd(.accepting, pool: TunnelPair().pool, at: .now)
        end.receive(Array("GET / HTTP/1.1\r\n\r\nhost: x".utf8)[...], at: .now)
        #expect(end.failure?.code == .http2(.badPreface))
        #expect(!end.session.isOver)
        let goodbye = end.drain(at: .now)
        #expect(goodbye.suffix(17).prefix(4) == [0, 0, 8, 7])
        #expect(end.session.isOver)
        end.receive([1, 2, 3], at: .now)
        #expect(end.drain(at: .now).isEmpty)
    }
}
