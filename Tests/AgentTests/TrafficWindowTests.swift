import Proxy
import Synchronization
import Testing

@testable import Agent

@Suite struct `The traffic of the last minute` {
    private func totals(_ opened: UInt64) -> ConnectionJournal.Totals {
        ConnectionJournal.Totals(openedWithMutualTLS: opened, denied: opened / 2, sentBytes: opened * 10)
    }

    @Test func `is everything before the first count`() {
        #expect(TrafficWindow().recent(totals(4)) == totals(4))
    }

    @Test func `is what came since the window began`() {
        let window = TrafficWindow()
        let start = ContinuousClock.now
        window.advance(totals(100), at: start)
        window.advance(totals(110), at: start + .seconds(1))
        #expect(window.recent(totals(120)) == totals(20))
    }

    @Test func `loses what is older than a minute`() {
        let window = TrafficWindow()
        let start = ContinuousClock.now
        for second in 0...200 { window.advance(totals(UInt64(second) * 2), at: start + .seconds(second)) }
        // Counted from the sample of second 139 or 140: one that is older than the window stays to count from.
        let recent = window.recent(totals(400))
        #expect((120...122).contains(recent.openedWithMutualTLS))
        #expect(recent.sentBytes == recent.openedWithMutualTLS * 10)
    }

    @Test func `is nothing after a minute without any`() {
        let window = TrafficWindow()
        let start = ContinuousClock.now
        for second in 0...100 { window.advance(totals(50), at: start + .seconds(second)) }
        #expect(window.recent(totals(50)) == totals(0))
    }
}

@Suite struct `A countdown` {
    @Test func `is done with the last of several threads, once`() async {
        let count = Mutex(0)
        let countdown = Countdown(64) { count.withLock { $0 += 1 } }
        for _ in 0..<63 { countdown.countDown() }
        #expect(count.withLock { $0 } == 0)
        countdown.countDown()
        #expect(count.withLock { $0 } == 1)
    }

    @Test func `counts what several threads report at a time`() async {
        let count = Mutex(0)
        let countdown = Countdown(1000) { count.withLock { $0 += 1 } }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask { for _ in 0..<100 { countdown.countDown() } }
            }
        }
        #expect(count.withLock { $0 } == 1)
    }
}
