package import Mesh

/// The reset budgets of all peers of a loop, by identity: who opens another session gets no second budget. Bounded, and
/// confined to the loop.
package final class ResetBudgets {
    private var budgets: [SPIFFEID: ResetBudget] = [:]
    private let capacity: Int
    private let burst: Double
    private let perSecond: Double

    /// - Parameters:
    ///   - capacity: identities that are told apart; more than call the pods of one node.
    ///   - burst: unanswered resets at once, for each identity.
    ///   - perSecond: unanswered resets per second in the long run, for each identity.
    package init(capacity: Int = 4096, burst: Double = 4000, perSecond: Double = 1000) {
        self.capacity = max(1, capacity)
        self.burst = burst
        self.perSecond = perSecond
    }

    /// Identities that are told apart now.
    package var count: Int { budgets.count }

    /// The budget of `identity`. If there is no room for another, and none has recovered, a fresh one that only the
    /// asking session has: identities are the CA's to give, so nobody gets past the bound by inventing some.
    package func budget(of identity: SPIFFEID, at now: ContinuousClock.Instant) -> ResetBudget {
        if let known = budgets[identity] { return known }
        if budgets.count >= capacity { budgets = budgets.filter { !$0.value.isUnspent(at: now) } }
        let budget = ResetBudget(burst: burst, perSecond: perSecond)
        if budgets.count < capacity { budgets[identity] = budget }
        return budget
    }
}
