/// A verdict in words, with every policy that was considered; what `explain` and the log print.
package struct Explanation: Hashable, Sendable {
    /// One policy and what it had to say.
    package struct Consideration: Hashable, Sendable {
        package let policy: NamespacedName
        package let action: AuthorizationPolicy.Action
        package let isDryRun: Bool
        /// The rule that matched, counted from 0; nil if none did.
        package let matchingRule: Int?
        /// Why each rule did not match; empty if one did.
        package let misses: [PolicyMiss]
    }

    package let verdict: Verdict
    /// Every policy that applies, in the order of evaluation.
    package let considered: [Consideration]

    /// Decides, and says what each of `policies` contributed.
    package init(_ facts: ConnectionFacts, policies: [AuthorizationPolicy]) {
        verdict = Authorizer.decide(facts, policies: policies)
        considered = policies.map { policy in
            let rule = policy.matchingRule(facts)
            return Consideration(
                policy: policy.name, action: policy.action, isDryRun: policy.isDryRun, matchingRule: rule,
                misses: rule == nil ? policy.misses(facts) : [])
        }
    }

    /// The verdict, then a line per policy and per rule that missed.
    package var lines: [String] {
        [verdict.summary] + considered.flatMap(\.lines)
    }
}

extension Explanation.Consideration {
    fileprivate var lines: [String] {
        let head = "\(action.rawValue.uppercased()) \(policy)\(isDryRun ? " (dry run)" : "")"
        if let matchingRule { return ["\(head): rule \(matchingRule) matches"] }
        return ["\(head): no match"] + misses.map { "  \($0.text)" }
    }
}

extension PolicyMiss {
    /// `rule 0: from[].source.principals is a, wanted b`.
    package var text: String {
        "\(rule.map { "rule \($0): " } ?? "")\(field) is \(was), wanted \(wanted)"
    }
}

extension Verdict {
    /// The decision and its reason in one line.
    package var summary: String {
        switch basis {
        case .noAllowPolicy: "allowed: no ALLOW policy applies"
        case .allowMatch: "allowed by \(decider)"
        case .denyMatch where reason == .plaintextRefused: "denied, PLAINTEXT_REFUSED: \(decider) wants mutual TLS"
        case .denyMatch: "denied, POLICY_DENY: \(decider)"
        case .customMatch: "denied, POLICY_DENY: \(decider) needs a waypoint to ask its authorizer"
        case .noAllowMatch: "denied, NO_ALLOW_MATCH: none of \(consideredNames) matches"
        }
    }

    /// The summary, then a line for each miss, audit and dry run.
    package var explanation: [String] {
        [summary] + misses.map { "\($0.policy) \($0.text)" } + audited.map { "audited by \($0)" }
            + dryRun.map { "dry run: \($0.policy) \($0.effect.rawValue)" }
    }

    private var decider: String {
        "\(policy?.description ?? "?")\(rule.map { " rule \($0)" } ?? "")"
    }

    private var consideredNames: String {
        var names: [String] = []
        for miss in misses where names.last != miss.policy.description { names.append(miss.policy.description) }
        return names.joined(separator: ", ")
    }
}
