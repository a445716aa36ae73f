import Keeper
import Mesh
import Testing

private let start = ContinuousClock.now

@Suite struct UnenrolmentBudgetTests {
    private func uid(_ number: Int) -> WorkloadUID { WorkloadUID("pod-\(number)") }

    /// A budget of which everything is used.
    private func spent() -> UnenrolmentBudget {
        var budget = UnenrolmentBudget()
        for number in 0..<UnenrolmentBudget.burst {
            #expect(budget.asked(uid(number), at: start) == .now)
        }
        return budget
    }

    @Test func `fifty are done at once and the next waits`() {
        var budget = spent()
        #expect(budget.asked(uid(50), at: start) == .later(position: 0))
        #expect(budget.asked(uid(51), at: start) == .later(position: 1))
        #expect(budget.asked(uid(50), at: start) == .later(position: 0))
        #expect(budget.waiting == [uid(50), uid(51)])
        #expect(budget.delayedCount == 2)
    }

    @Test func `those that wait are done ten a second, in order`() {
        var budget = spent()
        for number in 50..<100 { _ = budget.asked(uid(number), at: start) }
        #expect(budget.due(at: start + .milliseconds(99)) == [])
        #expect(budget.due(at: start + .milliseconds(100)) == [uid(50)])
        #expect(budget.due(at: start + .seconds(1)) == (51..<60).map(uid))
        #expect(budget.due(at: start + .seconds(5)) == (60..<100).map(uid))
        #expect(budget.due(at: start + .seconds(6)) == [])
    }

    @Test func `nobody overtakes those that wait`() {
        var budget = spent()
        _ = budget.asked(uid(50), at: start)
        #expect(budget.asked(uid(51), at: start + .seconds(1)) == .later(position: 1))
        #expect(budget.due(at: start + .seconds(1)) == [uid(50), uid(51)])
    }

    @Test func `one that is wanted again does not wait any more`() {
        var budget = spent()
        _ = budget.asked(uid(50), at: start)
        _ = budget.asked(uid(51), at: start)
        budget.cancelled(uid(50))
        #expect(budget.due(at: start + .seconds(1)) == [uid(51)])
    }

    @Test func `after five quiet seconds there are fifty again, and never more`() {
        var budget = spent()
        let later = start + .seconds(500)
        for number in 0..<UnenrolmentBudget.burst { #expect(budget.asked(uid(number), at: later) == .now) }
        #expect(budget.asked(uid(50), at: later) == .later(position: 0))
    }

    @Test func `a clock that stands still or goes back gives nothing`() {
        var budget = spent()
        _ = budget.asked(uid(50), at: start - .seconds(9))
        #expect(budget.due(at: start - .seconds(5)) == [])
        #expect(budget.due(at: start) == [])
    }
}
