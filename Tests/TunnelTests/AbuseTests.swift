import HTTP
import Testing
import Tunnel

@Suite struct `A flooding peer` {
    private func frame(_ type: UInt8, flags: UInt8 = 0, stream: Int32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [UInt8(truncatingIfNeeded: payload.count >> 16), UInt8(truncatingIfNeeded: payload.count >> 8)]
            + [UInt8(truncatingIfNeeded: payload.count), type, flags, 0, 0]
            + [UInt8(truncatingIfNeeded: stream >> 8), UInt8(truncatingIfNeeded: stream)] + payload
    }

    /// Sends `frames` until the accepting end cuts, each answered at once, without time passing.
    private func flood(_ frame: [UInt8], open: Bool = false, at most: Int = 20_000) throws -> TunnelError? {
        let pair = try TunnelPair()
        if open { _ = try pair.connect() }
        for _ in 0..<most where pair.accepter.failure == nil {
            pair.accepter.receive(frame[...], at: pair.now)
            _ = pair.accepter.drain(at: pair.now)
        }
        return pair.accepter.failure
    }

    @Test func `with PING is cut`() throws {
        #expect(try flood(frame(6, [0, 0, 0, 0, 0, 0, 0, 0]))?.code == .abuse(.ping))
    }

    @Test func `with SETTINGS is cut`() throws {
        #expect(try flood(frame(4))?.code == .abuse(.settings))
    }

    @Test func `with empty DATA is cut`() throws {
        #expect(try flood(frame(0, stream: 1), open: true)?.code == .abuse(.emptyData))
    }

    @Test func `with padding for payload is cut`() throws {
        #expect(try flood(frame(0, flags: 8, stream: 1, [2, 0, 0]), open: true)?.code == .abuse(.emptyData))
    }

    @Test func `with WINDOW_UPDATE is cut`() throws {
        #expect(try flood(frame(8, stream: 1, [0, 0, 0, 1]), open: true)?.code == .abuse(.windowUpdate))
    }

    @Test func `with PRIORITY is cut`() throws {
        #expect(try flood(frame(2, stream: 1, [0, 0, 0, 0, 1]), open: true)?.code == .abuse(.other))
    }

    @Test func `with CONTINUATION is cut`() throws {
        let pair = try TunnelPair()
        pair.accepter.receive(frame(1, stream: 1, [0x82])[...], at: pair.now)
        for _ in 0..<20 { pair.accepter.receive(frame(9, stream: 1, [])[...], at: pair.now) }
        #expect(pair.accepter.failure?.code == .abuse(.continuation))
        #expect(pair.accepter.drain(at: pair.now).suffix(17).prefix(4) == [0, 0, 8, 7])
    }

    @Test func `with a header block that decodes to far too much is cut`() throws {
        let pair = try TunnelPair()
        // A field of 4,000 bytes goes into the table; then one byte each repeats it.
        let value = [UInt8](repeating: 97, count: 3900)
        let literal: [UInt8] = [0x40, 1, 120, 0x7f, 0xbd, 0x1d] + value
        let bomb = literal + [UInt8](repeating: 0xbe, count: 10_000)
        pair.accepter.receive(frame(1, flags: 5, stream: 1, bomb)[...], at: pair.now)
        #expect(!pair.accepter.contains { if case .connectRequested = $0 { true } else { false } })
        _ = pair.accepter.drain(at: pair.now)
        #expect(pair.accepter.session.openStreamCount == 0)
    }

    @Test func `that resets every stream before its answer is cut, and the budget is the identity's`() throws {
        let budget = ResetBudget(burst: 500, perSecond: 10)
        var resets = 0
        // Twenty sessions of one identity: the limit is not per session.
        for _ in 0..<20 {
            let pair = try TunnelPair(resetBudget: budget)
            pair.accepter.onRequest = { _, _, _ in }
            for _ in 0..<50 where pair.accepter.failure == nil {
                let stream = try pair.open()
                _ = pair.deliver(from: pair.dialler, to: pair.accepter)
                pair.dialler.session.reset(stream, code: .cancel, at: pair.now)
                _ = pair.deliver(from: pair.dialler, to: pair.accepter)
                resets += 1
            }
            if let failure = pair.accepter.failure {
                #expect(failure.code == .abuse(.rapidReset))
                break
            }
        }
        #expect((500...510).contains(resets))
    }
}

@Suite struct `A busy honest peer` {
    @Test func `that resets every connection is never cut`() throws {
        let pair = try TunnelPair()
        // Half a minute at 200 connections a second, each reset by its application: six times what
        // the library's own limit bears.
        for second in 0..<30 {
            for index in 0..<200 {
                pair.now = pair.now.advanced(by: .milliseconds(5))
                try? pair.dialler.session.timerFired(at: pair.now)
                guard pair.dialler.session.canOpenStream else {
                    pair.exchange()
                    continue
                }
                let stream = try pair.open(token: index)
                pair.exchange()
                try pair.dialler.send(stream, pattern(200))
                pair.exchange()
                pair.dialler.session.reset(stream, code: .connectError, at: pair.now)
                pair.exchange()
            }
            #expect(pair.accepter.failure == nil && pair.dialler.failure == nil, "second \(second)")
        }
        #expect(!pair.dialler.session.isDraining && !pair.accepter.session.isDraining)
    }

    @Test func `our own resets stay below what other implementations bear`() throws {
        var limits = TunnelLimits()
        limits.resetBurst = 10
        limits.resetRate = 5
        let pair = try TunnelPair(dialling: limits)
        let streams = try (0..<30).map { try pair.open(token: $0) }
        pair.exchange()
        for stream in streams { pair.dialler.session.reset(stream, code: .cancel, at: pair.now) }
        pair.exchange()
        #expect(pair.accepter.session.openStreamCount == 20)
        for _ in 0..<2 {
            pair.now = pair.now.advanced(by: .seconds(1))
            #expect(pair.dialler.session.nextDeadline(at: pair.now) <= pair.now)
            try pair.dialler.session.timerFired(at: pair.now)
            pair.exchange()
        }
        #expect(pair.accepter.session.openStreamCount == 10)
    }

    @Test func `that sends much gets its credit without being taken for a flood`() throws {
        let pair = try TunnelPair()
        let (stream, accepted) = try pair.connect()
        // One byte at a time, each consumed, and a PING with each hundred, without time passing.
        for index in 0..<20_000 {
            try pair.dialler.send(stream, [UInt8(truncatingIfNeeded: index)])
            try pair.accepter.send(accepted, [1])
            if index % 4 == 0 { pair.exchange() }
        }
        pair.exchange()
        #expect(pair.accepter.failure == nil && pair.dialler.failure == nil)
        #expect(pair.accepter.received[stream.number]?.count == 20_000)
    }
}
