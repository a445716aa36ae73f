import Bytes
import HTTP
import Mesh
import TestSupport
import Testing
import Tunnel

@Suite struct `A tunnel session` {
    @Test(arguments: [1, 2, 3, 7, 9, 10, 64, 1000, Int.max])
    func `carries a connection both ways however its bytes are cut`(chunk: Int) throws {
        let pair = try TunnelPair(settled: false)
        pair.chunk = chunk
        let (stream, accepted) = try pair.connect(token: 7)
        #expect(pair.dialler.log.contains(.connectAccepted(stream, token: 7)))
        let request = pattern(20_000)
        let answer = pattern(40_000, seed: 9)
        #expect(try pair.dialler.send(stream, request) == request.count)
        #expect(try pair.accepter.send(accepted, answer) == answer.count)
        pair.exchange()
        #expect(pair.accepter.received[stream.number] == request)
        #expect(pair.dialler.received[stream.number] == answer)
        pair.dialler.session.finish(stream)
        pair.exchange()
        #expect(pair.accepter.log.contains(.finished(accepted, token: 1001)))
        pair.accepter.session.finish(accepted)
        pair.exchange()
        #expect(pair.dialler.log.contains(.finished(stream, token: 7)))
        #expect(pair.dialler.log.last == .closed(stream, token: 7))
        #expect(pair.accepter.log.last == .closed(accepted, token: 1001))
        #expect(pair.dialler.session.isIdle && pair.accepter.session.isIdle)
        #expect(pair.dialler.failure == nil && pair.accepter.failure == nil)
    }

    @Test func `carries a connection whose bytes are cut once at every place`() throws {
        let whole = try TunnelPair(settled: false)
        let (stream, _) = try whole.connect()
        try whole.dialler.send(stream, pattern(300))
        whole.dialler.session.finish(stream)
        whole.exchange()
        let bytes = whole.fromDialler
        for cut in 0...bytes.count {
            let end = try TunnelEnd(.accepting, pool: whole.pool, at: whole.now)
            var authority: Authority?
            end.onRequest = { end, stream, request in
                authority = try? request.get().authority
                end.session.accept(stream, token: 0)
            }
            end.receive(bytes[..<cut], at: whole.now)
            end.receive(bytes[cut...], at: whole.now)
            #expect(end.failure == nil)
            #expect(authority == .address(socketAddress("10.0.0.2:8080")))
            #expect(end.received[1] == pattern(300))
            #expect(end.contains { if case .finished = $0 { true } else { false } })
        }
    }

    @Test func `tells the accepting side what is asked, hints included`() throws {
        let pair = try TunnelPair()
        var baggage = Baggage()
        baggage.namespace = "shop"
        baggage.service = "web, \"1\""
        let asked = ConnectRequest(
            authority: .address(socketAddress("[2001:db8::1]:443")), baggage: baggage.text,
            forwarded: Forwarded(client: socketAddress("192.0.2.1:5000"), host: "shop.example"),
            traceParent: TraceParent(traceID: 5, spanID: 6, isSampled: true))
        var seen: ConnectRequest?
        pair.accepter.onRequest = { end, stream, request in
            seen = try? request.get()
            end.session.accept(stream, token: 0)
        }
        _ = try pair.dialler.session.openStream(asked, token: 0)
        pair.exchange()
        #expect(seen == asked)
    }

    @Test func `half-closes in either order`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        pair.accepter.session.finish(accepted)
        pair.exchange()
        #expect(pair.dialler.log.last == .finished(stream, token: 1))
        try pair.dialler.send(stream, [1, 2, 3])
        pair.exchange()
        #expect(pair.accepter.received[stream.number] == [1, 2, 3])
        pair.dialler.session.finish(stream)
        pair.exchange()
        #expect(pair.dialler.log.last == .closed(stream, token: 1))
        #expect(pair.accepter.log.last == .closed(accepted, token: 1001))
    }

    @Test func `a refusal ends the stream on both sides and costs no reset of ours`() throws {
        let pair = try TunnelPair()
        pair.accepter.onRequest = { end, stream, _ in end.session.refuse(stream, status: 401) }
        let stream = try pair.open(token: 3)
        try pair.dialler.send(stream, pattern(100))
        pair.exchange()
        #expect(pair.dialler.log.last == .connectRefused(stream, token: 3, status: 401))
        #expect(pair.dialler.session.isIdle && pair.accepter.session.isIdle)
        pair.accepter.onRequest = { end, stream, _ in end.session.accept(stream, token: 0) }
        let (second, _) = try pair.connect()
        #expect(pair.dialler.log.last == .connectAccepted(second, token: 1))
    }

    @Test func `payload sent before the answer arrives after acceptance or not at all`() throws {
        let pair = try TunnelPair()
        var waiting: StreamID?
        pair.accepter.onRequest = { _, stream, _ in waiting = stream }
        let stream = try pair.open()
        #expect(try pair.dialler.send(stream, pattern(5000)) == 5000)
        pair.exchange()
        #expect(pair.accepter.received[stream.number] == pattern(5000))
        #expect(!pair.dialler.contains { if case .connectAccepted = $0 { true } else { false } })
        let accepted = try #require(waiting)
        #expect(pair.accepter.session.sendableCount(accepted) == 0)
        pair.accepter.session.accept(accepted, token: 4)
        pair.exchange()
        #expect(pair.accepter.log.contains(.writable(accepted, token: 4)))
        #expect(pair.dialler.log.last == .connectAccepted(stream, token: 1))
    }

    @Test func `payload, end and reset in one span with their request carry the token that the request was given`()
        throws
    {
        let pair = try TunnelPair()
        pair.accepter.onRequest = { end, stream, _ in
            end.session.setToken(70 + Int(stream.number), of: stream)
        }
        let ended = try pair.open()
        try pair.dialler.send(ended, pattern(5000))
        pair.dialler.session.finish(ended)
        let cut = try pair.open(token: 2)
        try pair.dialler.send(cut, pattern(10))
        pair.dialler.session.reset(cut, code: .connectError, at: pair.now)
        pair.exchange()
        let tokens = pair.accepter.log.compactMap { event in
            switch event {
            case .data(_, let token, _, _), .finished(_, let token), .reset(_, let token, _, _): token
            default: nil
            }
        }
        #expect(Set(tokens) == [70 + Int(ended.number), 70 + Int(cut.number)])
        #expect(pair.accepter.contains { if case .finished(_, 70 + Int(ended.number)) = $0 { true } else { false } })
        #expect(pair.accepter.contains { if case .reset(_, 70 + Int(cut.number), _, _) = $0 { true } else { false } })
    }

    @Test(arguments: [ResetCode.connectError, .cancel, .noError, .refusedStream])
    func `a reset arrives as a reset with its code, never as an end`(code: ResetCode) throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        try pair.dialler.send(stream, [1])
        pair.dialler.session.reset(stream, code: code, at: pair.now)
        pair.exchange()
        #expect(
            pair.accepter.log.last
                == .reset(accepted, token: 1001, code: code, wasProcessed: code != .refusedStream))
        #expect(!pair.accepter.contains { if case .finished = $0 { true } else { false } })
        #expect(pair.dialler.session.isIdle && pair.accepter.session.isIdle)
    }

    /// As Envoy does when a response is over before its request (RFC 9113 section 8.1).
    @Test func `an end and then RST_STREAM with NO_ERROR is an end, and nothing of it is lost`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect(token: 5)
        try pair.accepter.send(accepted, pattern(5000))
        pair.accepter.session.finish(accepted)
        var sent = pair.accepter.drain(at: pair.now)
        sent += [0, 0, 4, 3, 0, 0, 0, 0, UInt8(stream.number), 0, 0, 0, 0]
        pair.dialler.receive(sent[...], at: pair.now)
        #expect(pair.dialler.received[stream.number] == pattern(5000))
        #expect(pair.dialler.log.suffix(2) == [.finished(stream, token: 5), .closed(stream, token: 5)])
        #expect(pair.dialler.session.isIdle)
        #expect(try pair.dialler.send(stream, [1]) == 0)
    }

    @Test func `a stream that was reset gives no more events and its number is dead`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        try pair.accepter.send(accepted, pattern(100))
        pair.dialler.session.reset(stream, code: .cancel, at: pair.now)
        let before = pair.dialler.log.count
        pair.exchange()
        #expect(pair.dialler.log.count == before)
        pair.dialler.session.reset(stream, code: .cancel, at: pair.now)
        pair.dialler.session.finish(stream)
        pair.dialler.session.consume(stream, 10)
        #expect(pair.dialler.session.sendableCount(stream) == 0)
        #expect(try pair.dialler.send(stream, [1]) == 0)
    }

    @Test func `a request before the peer's first settings goes out at once`() throws {
        let pair = try TunnelPair(settled: false)
        let stream = try pair.open()
        pair.exchange()
        #expect(pair.dialler.log.contains(.connectAccepted(stream, token: 1)))
    }

    @Test func `no stream is opened beyond the peer's limit`() throws {
        var limits = TunnelLimits()
        limits.maxConcurrentStreams = 3
        let pair = try TunnelPair(accepting: limits)
        #expect(pair.dialler.session.streamCapacity == 3)
        let streams = try (0..<3).map { _ in try pair.open() }
        #expect(!pair.dialler.session.canOpenStream)
        #expect(throws: TunnelError.self) { try pair.open() }
        pair.exchange()
        pair.dialler.session.reset(streams[0], code: .cancel, at: pair.now)
        pair.exchange()
        #expect(pair.dialler.session.canOpenStream)
    }

    @Test func `only the accepting side of our own limits says how many`() throws {
        let pair = try TunnelPair()
        #expect(pair.dialler.session.streamCapacity == 384)
        var limits = TunnelLimits()
        limits.maxConcurrentStreams = 1000
        #expect(try TunnelPair(accepting: limits).dialler.session.streamCapacity == 384)
    }

    @Test func `non-CONNECT and bad authorities are refused with their reason`() throws {
        var seen: [Reason] = []
        for (method, authority) in [("GET", "10.0.0.1:80"), ("CONNECT", "10.0.0.1"), ("CONNECT", "user@host:80")] {
            let pair = try TunnelPair(settled: false)
            pair.accepter.onRequest = { end, stream, request in
                guard case .failure(let refusal) = request else { return }
                seen.append(refusal.reason)
                end.session.refuse(stream, status: refusal.status)
            }
            let peer = try HTTP2Session(role: .client, limits: HTTP2Limits())
            var block = HeaderBlock()
            block.append(":method", method)
            block.append(":authority", authority)
            if method != "CONNECT" {
                block.append(":scheme", "http")
                block.append(":path", "/")
            }
            _ = peer.openStream(block, token: 0)
            var buffer = pair.pool.makeBuffer()
            _ = try peer.drain(into: &buffer)
            pair.accepter.receive(buffer.withReadable { $0.withUnsafeBytes { Array($0) } }[...], at: pair.now)
            #expect(pair.accepter.failure == nil)
        }
        // The library itself refuses what is no authority at all; what reaches us we refuse.
        #expect(seen.first == .notConnect)
        #expect(seen.dropFirst().allSatisfy { $0 == .badAuthority })
        #expect(seen.count >= 2)
    }
}
