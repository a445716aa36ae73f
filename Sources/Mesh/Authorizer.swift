/// Decides about connections. The only place where policies are evaluated: the agent, the waypoint, `explain` and
/// the dry run all ask it.
package enum Authorizer {
    /// The verdict of `policies` (those that apply to the destination, in a stable order) on a connection.
    ///
    /// Any CUSTOM that matches denies (nobody here can ask its authorizer), then any DENY, the refusal of plaintext
    /// first since it is the plainer cause; without an ALLOW the rest is allowed; else any ALLOW that matches allows.
    package static func decide(_ facts: ConnectionFacts, policies: [AuthorizationPolicy]) -> Verdict {
        var verdict = ruling(on: facts, policies: policies)
        if verdict.basis == .noAllowMatch { verdict.misses = misses(of: policies, on: facts) }
        for policy in policies where policy.action == .audit && !policy.isDryRun {
            if policy.matchingRule(facts) != nil { verdict.audited.append(policy.name) }
        }
        if policies.contains(where: \.isDryRun) { verdict.dryRun = dryRun(of: policies, on: facts) }
        return verdict
    }

    private static func ruling(on facts: ConnectionFacts, policies: [AuthorizationPolicy]) -> Verdict {
        if let (policy, rule) = firstMatch(in: policies, on: facts, where: { $0.action == .custom }) {
            return Verdict(basis: .customMatch, reason: .policyDeny, policy: policy.name, rule: rule)
        }
        if let (policy, rule) = firstMatch(
            in: policies, on: facts, where: { $0.action == .deny && $0.origin == .peerAuthentication })
        {
            return Verdict(basis: .denyMatch, reason: .plaintextRefused, policy: policy.name, rule: rule)
        }
        if let (policy, rule) = firstMatch(
            in: policies, on: facts, where: { $0.action == .deny && $0.origin == .authorizationPolicy })
        {
            return Verdict(basis: .denyMatch, reason: .policyDeny, policy: policy.name, rule: rule)
        }
        guard policies.contains(where: { $0.action == .allow && !$0.isDryRun }) else {
            return Verdict(basis: .noAllowPolicy)
        }
        if let (policy, rule) = firstMatch(in: policies, on: facts, where: { $0.action == .allow }) {
            return Verdict(basis: .allowMatch, policy: policy.name, rule: rule)
        }
        return Verdict(basis: .noAllowMatch, reason: .noAllowMatch)
    }

    private static func firstMatch(
        in policies: [AuthorizationPolicy], on facts: ConnectionFacts, where isWanted: (AuthorizationPolicy) -> Bool
    ) -> (AuthorizationPolicy, Int)? {
        for policy in policies where !policy.isDryRun && isWanted(policy) {
            if let rule = policy.matchingRule(facts) { return (policy, rule) }
        }
        return nil
    }

    private static func misses(of policies: [AuthorizationPolicy], on facts: ConnectionFacts) -> [PolicyMiss] {
        policies.filter { $0.action == .allow && !$0.isDryRun }.flatMap { $0.misses(facts) }
    }

    /// What each policy in dry run would have done, had it been in force beside the others.
    private static func dryRun(of policies: [AuthorizationPolicy], on facts: ConnectionFacts) -> [DryRunOutcome] {
        let isAllowedBySome = policies.contains { $0.action == .allow && $0.matchingRule(facts) != nil }
        return policies.filter(\.isDryRun).compactMap { policy in
            let matches = policy.matchingRule(facts) != nil
            switch policy.action {
            case .deny, .custom:
                return matches ? DryRunOutcome(policy: policy.name, effect: .wouldDeny) : nil
            case .allow:
                if matches { return DryRunOutcome(policy: policy.name, effect: .wouldAllow) }
                return isAllowedBySome ? nil : DryRunOutcome(policy: policy.name, effect: .wouldDeny)
            case .audit:
                return nil
            }
        }
    }
}

extension AuthorizationPolicy {
    /// The first rule that matches, counted from 0; nil if none does, as of a policy without rules.
    func matchingRule(_ facts: ConnectionFacts) -> Int? {
        rules.firstIndex { rule in
            rule.clauses.allSatisfy { $0.matches(facts, doubtMatches: action.doubtMatches) }
        }
    }

    /// Why each rule does not match. Only for policies that do not match.
    func misses(_ facts: ConnectionFacts) -> [PolicyMiss] {
        guard !rules.isEmpty else {
            return [PolicyMiss(policy: name, rule: nil, field: "rules", wanted: "at least one rule", was: "none")]
        }
        return rules.enumerated().compactMap { index, rule in
            rule.clauses.lazy.compactMap {
                $0.miss(of: name, rule: index, on: facts, doubtMatches: action.doubtMatches)
            }
            .first
        }
    }
}

extension AuthorizationClause {
    fileprivate func matches(_ facts: ConnectionFacts, doubtMatches: Bool) -> Bool {
        if matches.isEmpty { return doubtMatches }
        return matches.contains { $0.firstMiss(facts, doubtMatches: doubtMatches) == nil }
    }

    /// Nil if the clause matches; else the field that the first of its matches misses, and what any match that
    /// misses the same field would have wanted there.
    fileprivate func miss(
        of policy: NamespacedName, rule: Int, on facts: ConnectionFacts, doubtMatches: Bool
    ) -> PolicyMiss? {
        guard !matches(facts, doubtMatches: doubtMatches) else { return nil }
        let missed = matches.map { ($0, $0.firstMiss(facts, doubtMatches: doubtMatches) ?? .nothing) }
        let field = missed.first?.1 ?? .nothing
        let wanted = missed.filter { $0.1 == field }.map { field.wanted(in: $0.0) }
        return PolicyMiss(
            policy: policy, rule: rule, field: field.path(in: kind),
            wanted: wanted.isEmpty ? field.wanted(in: AuthorizationMatch()) : wanted.joined(separator: " or "),
            was: field.actual(in: facts))
    }
}
