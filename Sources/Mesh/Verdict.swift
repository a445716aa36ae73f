/// What the policies say about a connection, and why.
package struct Verdict: Hashable, Sendable {
    /// How the decision came about.
    package enum Basis: String, Hashable, Sendable {
        /// No ALLOW policy applies, so whatever is not denied is allowed.
        case noAllowPolicy
        /// An ALLOW policy matched.
        case allowMatch
        /// A DENY policy matched.
        case denyMatch
        /// A CUSTOM policy matched and there is no waypoint that could ask its authorizer.
        case customMatch
        /// ALLOW policies apply and none matched.
        case noAllowMatch
        /// Only its waypoint may connect here, and the peer is not it.
        case notFromWaypoint
    }

    package let basis: Basis
    /// Why it is refused; nil if it is allowed.
    package let reason: Reason?
    /// The policy that decided; nil if none did by matching.
    package let policy: NamespacedName?
    /// Which rule of that policy matched, counted from 0 as it is written.
    package let rule: Int?
    /// For `notFromWaypoint`: which waypoint was wanted, in words.
    package let detail: String?
    /// For `noAllowMatch`: each ALLOW policy considered, rule by rule, with the first field that did not match.
    package var misses: [PolicyMiss] = []
    /// AUDIT policies that matched.
    package var audited: [NamespacedName] = []
    /// The policies in dry run that would have turned the verdict.
    package var dryRun: [DryRunOutcome] = []

    init(
        basis: Basis, reason: Reason? = nil, policy: NamespacedName? = nil, rule: Int? = nil, detail: String? = nil
    ) {
        self.basis = basis
        self.reason = reason
        self.policy = policy
        self.rule = rule
        self.detail = detail
    }

    package var isAllowed: Bool { reason == nil }

    /// The policy to name in a log line or a metric label: the one that decided, or for a miss the first ALLOW
    /// policy considered.
    package var accountablePolicy: NamespacedName? { policy ?? misses.first?.policy }
}

/// One rule of an ALLOW policy that did not match, and why.
package struct PolicyMiss: Hashable, Sendable {
    package let policy: NamespacedName
    /// Counted from 0; nil if the policy has no rules.
    package let rule: Int?
    /// As the user writes it, such as `from[].source.principals`.
    package let field: String
    package let wanted: String
    package let was: String

    package init(policy: NamespacedName, rule: Int?, field: String, wanted: String, was: String) {
        self.policy = policy
        self.rule = rule
        self.field = field
        self.wanted = wanted
        self.was = was
    }
}

/// What a policy in dry run would have done to a connection.
package struct DryRunOutcome: Hashable, Sendable {
    /// How the verdict would have changed, had the policy been in force.
    package enum Effect: String, Hashable, Sendable {
        case wouldDeny = "would-deny"
        case wouldAllow = "would-allow"
    }

    package let policy: NamespacedName
    package let effect: Effect

    package init(policy: NamespacedName, effect: Effect) {
        self.policy = policy
        self.effect = effect
    }
}
