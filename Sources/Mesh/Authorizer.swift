/// Decides about connections. The only place where policies are evaluated: the agent, the waypoint, `explain` and
/// the dry run all ask it.
package enum Authorizer {
    /// The verdict on a connection to `workload`: whether it must come from a waypoint and does, then the policies
    /// that apply.
    package static func decide(_ facts: ConnectionFacts, to workload: Workload, in snapshot: MeshSnapshot) -> Verdict {
        let verdict = decide(facts, policies: snapshot.policies(for: workload))
        switch WaypointRequirement(port: facts.destinationPort, of: workload, in: snapshot).judge(facts) {
        case .satisfied: return verdict
        case .missed(let detail):
            var refusal = Verdict(basis: .notFromWaypoint, reason: .notFromWaypoint, detail: detail)
            refusal.audited = verdict.audited
            return refusal
        }
    }

    /// The verdict of `policies` (those that apply to the destination, in a stable order) on a connection.
    ///
    /// Plaintext that is not accepted is refused first, since that is the plainest cause. Then any CUSTOM that
    /// matches denies (nobody here can ask its authorizer), then any DENY; without an ALLOW the rest is allowed; else
    /// any ALLOW that matches allows.
    package static func decide(_ facts: ConnectionFacts, policies: [AuthorizationPolicy]) -> Verdict {
        var verdict = ruling(on: facts, policies: policies)
        if verdict.basis == .noAllowMatch { verdict.misses = misses(of: policies, on: facts) }
        for index in policies.indices where policies[index].action == .audit && !policies[index].isDryRun {
            if policies[index].matchingRule(facts) != nil { verdict.audited.append(policies[index].name) }
        }
        if policies.contains(where: \.isDryRun) { verdict.dryRun = dryRun(of: policies, on: facts, actual: verdict) }
        return verdict
    }

    private static func ruling(on facts: ConnectionFacts, policies: [AuthorizationPolicy]) -> Verdict {
        for phase in [EvaluationPhase.plaintext, .custom, .deny] {
            if let (policy, position) = firstMatch(in: policies, on: facts, phase: phase) {
                return Verdict(
                    basis: phase == .custom ? .customMatch : .denyMatch,
                    reason: phase == .plaintext ? .plaintextRefused : .policyDeny, policy: policy.name,
                    rule: policy.ruleNumber(position))
            }
        }
        guard policies.contains(where: { $0.action == .allow && !$0.isDryRun }) else {
            return Verdict(basis: .noAllowPolicy)
        }
        if let (policy, position) = firstMatch(in: policies, on: facts, phase: .allow) {
            return Verdict(basis: .allowMatch, policy: policy.name, rule: policy.ruleNumber(position))
        }
        return Verdict(basis: .noAllowMatch, reason: .noAllowMatch)
    }

    private static func firstMatch(
        in policies: [AuthorizationPolicy], on facts: ConnectionFacts, phase: EvaluationPhase
    ) -> (AuthorizationPolicy, Int)? {
        // In a span: a policy is looked at in place, as copying each would cost more than comparing it.
        let span = policies.span
        for index in span.indices where !span[index].isDryRun && span[index].phase == phase {
            if let position = span[index].matchingRule(facts) { return (span[index], position) }
        }
        return nil
    }

    private static func misses(of policies: [AuthorizationPolicy], on facts: ConnectionFacts) -> [PolicyMiss] {
        policies.filter { $0.action == .allow && !$0.isDryRun }.flatMap { $0.misses(facts) }
    }

    /// Which policies in dry run would turn the actual verdict, were all of them in force beside the others.
    private static func dryRun(
        of policies: [AuthorizationPolicy], on facts: ConnectionFacts, actual: Verdict
    ) -> [DryRunOutcome] {
        let dry = policies.filter(\.isDryRun)
        let refusing = dry.filter { ($0.action == .deny || $0.action == .custom) && $0.matchingRule(facts) != nil }
        let allowing = policies.filter { $0.action == .allow && $0.matchingRule(facts) != nil }.map(\.name)
        guard !actual.isAllowed else {
            let narrowing = allowing.isEmpty ? dry.filter { $0.action == .allow } : []
            return (refusing + narrowing).map { DryRunOutcome(policy: $0.name, effect: .wouldDeny) }
        }
        // Only what fails for want of an ALLOW can be allowed by one more.
        guard actual.basis == .noAllowMatch, refusing.isEmpty else { return [] }
        return allowing.map { DryRunOutcome(policy: $0, effect: .wouldAllow) }
    }
}

/// The order in which policies are looked at.
enum EvaluationPhase: Int, Comparable {
    case plaintext
    case custom
    case deny
    case allow
    case audit

    static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension AuthorizationPolicy {
    /// When its turn comes.
    var phase: EvaluationPhase {
        switch action {
        case .custom: .custom
        case .deny: origin == .peerAuthentication ? .plaintext : .deny
        case .allow: .allow
        case .audit: .audit
        }
    }

    /// The position of the first rule that matches; nil if none does, as of a policy without rules.
    func matchingRule(_ facts: ConnectionFacts) -> Int? {
        // In place, like everything below that runs for each policy of each connection.
        let span = rules.span
        for index in span.indices where span[index].matches(facts, doubtMatches: action.doubtMatches) { return index }
        return nil
    }

    /// Why each rule does not match. Only for policies that do not match.
    func misses(_ facts: ConnectionFacts) -> [PolicyMiss] {
        let dropped = httpParts.filter(\.isDropped).map { part in
            PolicyMiss(
                policy: name, rule: part.rule, field: part.fields.joined(separator: ", "), wanted: "a waypoint",
                was: "not seen at L4")
        }
        guard !rules.isEmpty || !dropped.isEmpty else {
            return [PolicyMiss(policy: name, rule: nil, field: "rules", wanted: "at least one rule", was: "none")]
        }
        let missed = rules.enumerated().compactMap { position, rule in
            rule.clauses.lazy.compactMap {
                $0.miss(of: name, rule: ruleNumber(position), on: facts, doubtMatches: action.doubtMatches)
            }
            .first
        }
        return dropped.isEmpty ? missed : (dropped + missed).sorted { ($0.rule ?? 0) < ($1.rule ?? 0) }
    }
}

extension AuthorizationRule {
    func matches(_ facts: ConnectionFacts, doubtMatches: Bool) -> Bool {
        let span = clauses.span
        for index in span.indices where !span[index].matches(facts, doubtMatches: doubtMatches) { return false }
        return true
    }
}

extension AuthorizationClause {
    func matches(_ facts: ConnectionFacts, doubtMatches: Bool) -> Bool {
        if matches.isEmpty { return doubtMatches }
        let span = matches.span
        for index in span.indices where span[index].firstMiss(facts, doubtMatches: doubtMatches) == nil { return true }
        return false
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
