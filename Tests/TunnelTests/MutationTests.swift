import HTTP
import Testing
import Tunnel

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite struct `Hostile bytes` {
    /// What an honest dialling side says in a busy moment.
    private func corpus() throws -> [UInt8] {
        let pair = try TunnelPair(settled: false)
        let (first, _) = try pair.connect(token: 1)
        let (second, _) = try pair.connect(token: 2)
        try pair.dialler.send(first, pattern(40))
        try pair.dialler.send(second, pattern(60))
        pair.exchange()
        pair.dialler.session.finish(first)
        pair.dialler.session.reset(second, code: .cancel, at: pair.now)
        pair.dialler.session.goAwayNow()
        pair.exchange()
        return pair.fromDialler
    }

    @Test func `of any kind never trap, and events never point outside of them`() throws {
        let corpus = try corpus()
        let pool = try TunnelPair().pool
        var generator = SeededGenerator(seed: 42)
        let now = ContinuousClock.now
        var failures = 0
        for _ in 0..<100_000 {
            var bytes = corpus
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                // The preface is left alone most of the time, or little else would be reached.
                let from = Int.random(in: 0..<8, using: &generator) == 0 ? 0 : 24
                let place = Int.random(in: from..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 2: bytes.removeSubrange(place..<min(bytes.count, place + 9))
                default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 20)], at: place)
                }
                if bytes.count < 30 { break }
            }
            let end = try TunnelEnd(.accepting, pool: pool, at: now)
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            end.receive(bytes[..<cut], at: now)
            end.receive(bytes[cut...], at: now)
            _ = end.drain(at: now)
            if end.failure != nil || end.session.isOver { failures += 1 }
        }
        #expect(failures > 1000)
    }

    @Test func `from an accepting peer never trap the dialling side`() throws {
        var generator = SeededGenerator(seed: 43)
        let now = ContinuousClock.now
        let pool = try TunnelPair().pool
        for _ in 0..<10_000 {
            let accepter = try TunnelEnd(.accepting, pool: pool, at: now)
            let dialler = try TunnelEnd(.dialling, pool: pool, at: now)
            let stream = try dialler.session.openStream(
                ConnectRequest(authority: .hostname("web", port: 80)), token: 1)
            accepter.receive(dialler.drain(at: now)[...], at: now)
            try accepter.send(stream, pattern(50))
            var bytes = accepter.drain(at: now)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            dialler.receive(bytes[...], at: now)
            _ = try? dialler.send(stream, pattern(100))
            _ = dialler.drain(at: now)
        }
    }
}
