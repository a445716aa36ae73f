/// A verdict in words, with every policy that was considered; what `explain` and the log print.
package struct Explanation: Hashable, Sendable {
    /// One policy and what it had to say.
    package struct Consideration: Hashable, Sendable {
        package let policy: NamespacedName
        package let action: AuthorizationPolicy.Action
        package let origin: AuthorizationPolicy.Origin
        package let isDryRun: Bool
        /// The verdict names this policy.
        package let isDecisive: Bool
        /// The rule that matched, counted from 0 as it is written; nil if none did.
        package let matchingRule: Int?
        /// What made that rule match, field by field; empty if none did, and for one that matches everything.
        package let matches: [FieldMatch]
        /// Why each rule did not match; empty if one did.
        package let misses: [PolicyMiss]
        /// What of the policy needs a waypoint.
        package let httpParts: [HTTPPart]
        /// How the verdict would turn with it; nil if it would not, or is no dry run.
        package let dryRunEffect: DryRunOutcome.Effect?
    }

    package let verdict: Verdict
    /// Every policy that applies, in the order of evaluation: refusals of plaintext, CUSTOM, DENY, ALLOW, AUDIT.
    package let considered: [Consideration]
    /// Policies that the destination names and nobody has sent (yet).
    package let missing: [NamespacedName]

    /// Decides about a connection to `workload`, and says what everything contributed.
    package init(_ facts: ConnectionFacts, to workload: Workload, in snapshot: MeshSnapshot) {
        self.init(
            facts, Authorizer.decide(facts, to: workload, in: snapshot), policies: snapshot.policies(for: workload),
            missing: snapshot.missingPolicies(for: workload))
    }

    /// Decides, and says what each of `policies` contributed.
    package init(_ facts: ConnectionFacts, policies: [AuthorizationPolicy]) {
        self.init(facts, Authorizer.decide(facts, policies: policies), policies: policies, missing: [])
    }

    private init(
        _ facts: ConnectionFacts, _ verdict: Verdict, policies: [AuthorizationPolicy], missing: [NamespacedName]
    ) {
        self.verdict = verdict
        self.missing = missing
        let phases = [EvaluationPhase.plaintext, .custom, .deny, .allow, .audit]
        considered = phases.flatMap { phase in policies.filter { $0.phase == phase } }.map { policy in
            let position = policy.matchingRule(facts)
            return Consideration(
                policy: policy.name, action: policy.action, origin: policy.origin, isDryRun: policy.isDryRun,
                isDecisive: verdict.policy == policy.name, matchingRule: position.map { policy.ruleNumber($0) },
                matches: position.map { policy.fieldMatches(ofRuleAt: $0, facts) } ?? [],
                misses: position == nil ? policy.misses(facts) : [], httpParts: policy.httpParts,
                dryRunEffect: verdict.dryRun.first { $0.policy == policy.name }?.effect)
        }
    }

    /// The verdict, then a line per policy, and indented the fields that matched or the rules that missed.
    package var lines: [String] {
        [verdict.summary] + considered.flatMap(\.lines) + missing.map { "\($0): named by the workload, but not known" }
    }
}

extension Explanation.Consideration {
    /// `DENY pay/deny: no match`, then indented why.
    package var lines: [String] {
        let kind = origin == .peerAuthentication ? "PeerAuthentication" : action.rawValue.uppercased()
        let mode = isDryRun ? " (dry run\(dryRunEffect.map { ", \($0.rawValue)" } ?? ""))" : ""
        let outcome = matchingRule.map { "rule \($0) matches" } ?? "no match"
        let droppedRules = Set(httpParts.filter(\.isDropped).map(\.rule))
        let details =
            matches.map(\.text) + misses.filter { !droppedRules.contains($0.rule ?? -1) }.map(\.text)
            + httpParts.map(\.text)
        return ["\(kind) \(policy)\(mode): \(outcome)"] + details.map { "  \($0)" }
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
        case .notFromWaypoint: "denied, NOT_FROM_WAYPOINT: \(detail ?? "")"
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
