import Testing
import Tunnel

@Suite struct `A stream's window` {
    private let start = ContinuousClock.now
    private let initial = 16 * TunnelSession.maxPayload
    private let maximum = 256 * TunnelSession.maxPayload

    /// Takes `count` bytes at `rate` bytes a second, in reads of 64 KiB; every decision is granted.
    private func run(_ window: inout WindowGrowth, _ count: Int, rate: Int, from now: inout ContinuousClock.Instant) {
        for _ in 0..<(count >> 16) {
            now += .nanoseconds(Int64(65_536) * 1_000_000_000 / Int64(rate))
            if let size = window.took(65_536, at: now) { window.resized(to: size) }
        }
    }

    @Test func `grows to its maximum while much is taken, doubling`() {
        var window = WindowGrowth(at: start)
        var sizes: [Int] = []
        for _ in 0..<200 {
            guard let size = window.took(65_536, at: start) else { continue }
            sizes.append(size)
            window.resized(to: size)
        }
        #expect(sizes == [2, 4, 8, 16].map { $0 * initial })
        #expect(window.size == maximum)
    }

    @Test(arguments: [(100_000, 1), (3_000_000, 2), (10_000_000, 8), (100_000_000, 16)])
    func `is what its rate needs in a quarter of a second, at most twice off`(rate: Int, times: Int) {
        var window = WindowGrowth(at: start)
        var now = start
        run(&window, 64 << 20, rate: rate, from: &now)
        #expect(window.size == times * initial)
    }

    @Test func `shrinks when less is taken, and no further than it began`() {
        var window = WindowGrowth(at: start)
        var now = start
        run(&window, 64 << 20, rate: 1_000_000_000, from: &now)
        #expect(window.size == maximum)
        run(&window, 64 << 20, rate: 4_000_000, from: &now)
        #expect(window.size < maximum)
        run(&window, 64 << 20, rate: 10_000, from: &now)
        #expect(window.size == initial)
    }

    @Test func `stays where it is if more is not granted, and asks again`() {
        var window = WindowGrowth(at: start)
        #expect(window.took(initial, at: start) == 2 * initial)
        #expect(window.size == initial)
        #expect(window.took(initial, at: start) == 2 * initial)
        #expect(window.extra(at: window.size) == 0)
    }

    @Test func `is decided on once per half of it`() {
        var window = WindowGrowth(at: start)
        #expect(window.took(initial / 2 - 1, at: start) == nil)
        #expect(window.took(1, at: start) != nil)
    }
}
