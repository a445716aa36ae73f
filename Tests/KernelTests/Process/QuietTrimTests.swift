import Kernel
import Testing

@Suite struct `Memory of a quiet process` {
    private let start = ContinuousClock.now

    /// What each tick of a second says, for processor time in milliseconds per tick.
    private func verdicts(_ used: [Int]) -> [Bool] {
        var trim = QuietTrim()
        var total = 0
        return used.enumerated().map { second, milliseconds in
            total += milliseconds
            return trim.ticked(used: .milliseconds(total), at: start + .seconds(second))
        }
    }

    @Test func `is given back after the second quiet second, and what was kept a little longer after the eighth`() {
        let trims = verdicts([500] + Array(repeating: 10, count: 60)).enumerated().filter(\.element).map(\.offset)
        #expect(trims == [2, 8])
    }

    @Test func `is given back again after the next work`() {
        #expect(verdicts([0, 1, 1, 300, 1, 1]) == [false, false, true, false, false, true])
    }

    @Test func `stays while the process works`() {
        #expect(verdicts([60, 60, 1, 60, 1, 60]).allSatisfy { !$0 })
    }

    @Test func `a clock that stands still is no quiet time`() {
        var trim = QuietTrim()
        for _ in 0..<4 {
            let trims = trim.ticked(used: .zero, at: start)
            #expect(!trims)
        }
    }

    @Test func `grows as the process runs`() {
        let before = CurrentProcess.processorTime
        var number: UInt64 = 1
        while CurrentProcess.processorTime == before { number = number &* 6_364_136_223_846_793_005 &+ 1 }
        #expect(CurrentProcess.processorTime > before && number != 0)
    }

    @Test func `is less resident once it is given back, and the program runs on`() throws {
        let before = try #require(CurrentProcess.residentBytes())
        CurrentProcess.releaseUnusedMemory()
        let after = try #require(CurrentProcess.residentBytes())
        #expect(after < before)
    }
}
