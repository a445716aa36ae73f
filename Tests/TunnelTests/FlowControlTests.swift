import HTTP
import Testing
import Tunnel

@Suite struct `Flow control` {
    private let window = Int(TunnelLimits().streamWindow)

    @Test func `eight stalled streams do not slow the ninth`() throws {
        // Just what the eight hold: with credit on delivery nothing would be left for the ninth.
        var limits = TunnelLimits()
        limits.connectionWindow = 8 * limits.streamWindow
        let pair = try TunnelPair(accepting: limits)
        let stalled = try (0..<8).map { try pair.connect(token: $0).0 }
        pair.accepter.stalled = Set(stalled.map(\.number))
        for stream in stalled {
            let payload = pattern(window)
            var sent = 0
            while sent < window {
                sent += try pair.dialler.send(stream, Array(payload[sent...]))
                pair.exchange()
            }
            #expect(pair.dialler.session.sendableCount(stream) == 0)
        }
        let (free, _) = try pair.connect(token: 9)
        let block = pattern(100_000)
        var total = 0
        for _ in 0..<300 {
            total += try pair.dialler.send(free, block)
            pair.exchange()
        }
        #expect(total == 30_000_000)
        #expect(pair.accepter.received[free.number]?.count == total)
        for stream in stalled { #expect(pair.accepter.received[stream.number]?.count == window) }
    }

    @Test func `a blocked stream becomes writable when its credit comes`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect(token: 5)
        pair.accepter.stalled = [stream.number]
        var total = 0
        while pair.dialler.session.sendableCount(stream) > 0 {
            total += try pair.dialler.send(stream, pattern(60_000))
            pair.exchange()
        }
        #expect(total == window)
        #expect(!pair.dialler.log.contains(.writable(stream, token: 5)))
        pair.accepter.session.consume(accepted, total)
        pair.exchange()
        #expect(pair.dialler.log.last == .writable(stream, token: 5))
        #expect(pair.dialler.session.sendableCount(stream) == window)
    }

    @Test func `an end waits for a closed window and then goes`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        pair.accepter.stalled = [stream.number]
        while try pair.dialler.send(stream, pattern(60_000)) > 0 { pair.exchange() }
        pair.dialler.session.finish(stream)
        pair.exchange()
        #expect(!pair.accepter.log.contains(.finished(accepted, token: 1001)))
        pair.accepter.session.consume(accepted, window)
        pair.exchange()
        #expect(pair.accepter.log.last == .finished(accepted, token: 1001))
    }

    @Test func `a window grows within its limits`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        pair.accepter.session.setStreamWindow(accepted, 1 << 30)
        pair.exchange()
        #expect(pair.dialler.session.sendableCount(stream) == Int(TunnelLimits().maxStreamWindow))
    }

    @Test func `a window shrinks by credit that is not given`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        pair.accepter.session.setStreamWindow(accepted, 1 << 20)
        pair.exchange()
        #expect(pair.dialler.session.sendableCount(stream) == 1 << 20)
        pair.accepter.session.setStreamWindow(accepted, Int32(window))
        pair.exchange()
        // The peer has the credit still; it is used up, and only the smaller window comes back.
        #expect(pair.dialler.session.sendableCount(stream) == 1 << 20)
        var total = 0
        while total < 4 << 20 {
            total += try pair.dialler.send(stream, pattern(60_000))
            pair.exchange()
        }
        #expect(pair.dialler.session.sendableCount(stream) <= window)
        #expect(pair.accepter.received[stream.number]?.count == total)
    }

    @Test func `one read fills several frames, each behind its gap`() throws {
        let pair = try TunnelPair()
        let (stream, _) = try pair.connect()
        let payload = pattern(40_000)
        var segments: [Int] = []
        let sent = try pair.dialler.session.sendInPlace(stream, limit: 40_000, into: &pair.dialler.out) { space in
            segments = (0..<space.segmentCount).map { space[$0].count }
            return space.copy(payload.span.bytes)
        }
        #expect(sent == 40_000)
        #expect(segments == [16_375, 16_375, 40_000 - 2 * 16_375])
        let framed = pair.dialler.out.readableCount
        #expect(framed == 40_000 + 3 * 9)
        pair.exchange()
        #expect(pair.accepter.received[stream.number] == payload)
    }

    @Test func `a read of nothing sends nothing, and one that claims too much is cut`() throws {
        let pair = try TunnelPair()
        let (stream, _) = try pair.connect()
        #expect(try pair.dialler.session.sendInPlace(stream, into: &pair.dialler.out) { _ in 0 } == 0)
        #expect(try pair.dialler.session.sendInPlace(stream, into: &pair.dialler.out) { _ in -1 } == 0)
        let framed = pair.dialler.out.readableCount
        #expect(framed == 0)
        let sent = try pair.dialler.session.sendInPlace(stream, limit: 10, into: &pair.dialler.out) { _ in 1 << 40 }
        #expect(sent == 10)
        pair.exchange()
        #expect(pair.accepter.received[stream.number]?.count == 10)
    }

    @Test func `a reset while the window is closed is not held back by it`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        pair.accepter.stalled = [stream.number]
        while try pair.dialler.send(stream, pattern(60_000)) > 0 { pair.exchange() }
        pair.dialler.session.reset(stream, code: .connectError, at: pair.now)
        pair.exchange()
        #expect(pair.accepter.log.last == .reset(accepted, token: 1001, code: .connectError, wasProcessed: true))
    }
}
