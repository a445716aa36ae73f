import Mesh
import Testing

@testable import Tunnel

@Suite struct `The reset budgets of a loop` {
    private let now = ContinuousClock.now

    private func identity(_ number: Int) throws -> SPIFFEID {
        SPIFFEID(trustDomain: try #require(TrustDomain("mesh")), namespace: "shop", serviceAccount: "a\(number)")
    }

    @Test func `are one for all tunnels of an identity`() throws {
        let budgets = ResetBudgets()
        let first = budgets.budget(of: try identity(1), at: now)
        #expect(first === budgets.budget(of: try identity(1), at: now))
        #expect(first !== budgets.budget(of: try identity(2), at: now))
        #expect(first.allows(unanswered: 4000, answered: 0, at: now))
        #expect(!budgets.budget(of: try identity(1), at: now).allows(unanswered: 1, answered: 0, at: now))
    }

    @Test func `are bounded, and only those that have recovered are forgotten`() throws {
        let budgets = ResetBudgets(capacity: 2)
        #expect(budgets.budget(of: try identity(1), at: now).allows(unanswered: 100, answered: 0, at: now))
        _ = budgets.budget(of: try identity(2), at: now)
        _ = budgets.budget(of: try identity(3), at: now)
        #expect(budgets.count == 2)
        let spent = budgets.budget(of: try identity(1), at: now)
        #expect(!spent.allows(unanswered: 3950, answered: 0, at: now))
        // Both are in use now: the next has one of its own, which nobody else finds.
        #expect(budgets.budget(of: try identity(3), at: now).allows(unanswered: 1, answered: 0, at: now))
        let extra = budgets.budget(of: try identity(4), at: now)
        #expect(extra !== budgets.budget(of: try identity(4), at: now))
        // With time all recover, and there is room again.
        let later = now.advanced(by: .seconds(10))
        _ = budgets.budget(of: try identity(5), at: later)
        #expect(budgets.count == 1)
    }
}
