import Addressing
import Mesh

/// A second evaluator, written from the policy design alone and as plainly as can be: three-valued logic (nil is
/// "unknown") all the way up, and the action decides what unknown means only at the very end.
enum NaiveAuthorizer {
    static func reason(_ facts: ConnectionFacts, _ policies: [AuthorizationPolicy]) -> Reason? {
        let enforced = policies.filter { !$0.isDryRun }
        func matching(_ action: AuthorizationPolicy.Action) -> [AuthorizationPolicy] {
            enforced.filter { $0.action == action && matches($0, facts) }
        }
        let denying = matching(.deny)
        if denying.contains(where: { $0.origin == .peerAuthentication }) { return .plaintextRefused }
        if !matching(.custom).isEmpty { return .policyDeny }
        if !denying.isEmpty { return .policyDeny }
        if !enforced.contains(where: { $0.action == .allow }) { return nil }
        return matching(.allow).isEmpty ? .noAllowMatch : nil
    }

    static func matches(_ policy: AuthorizationPolicy, _ facts: ConnectionFacts) -> Bool {
        let answer = or(
            policy.rules.map { rule in
                and(
                    rule.clauses.map { clause in
                        clause.matches.isEmpty ? nil : or(clause.matches.map { value($0, facts) })
                    })
            })
        return answer ?? (policy.action != .allow)
    }

    private static func value(_ match: AuthorizationMatch, _ facts: ConnectionFacts) -> Bool? {
        var values: [Bool?] = []
        let principal = facts.source.map { "\($0.trustDomain.name)/ns/\($0.namespace)/sa/\($0.serviceAccount)" }
        func strings(_ wanted: [StringMatch], _ unwanted: [StringMatch], _ actual: String?, isPrincipal: Bool) {
            func hit(_ pattern: StringMatch, _ text: String) -> Bool { glob(pattern, text, isPrincipal) }
            if !wanted.isEmpty { values.append(actual.map { text in wanted.contains { hit($0, text) } } ?? false) }
            if !unwanted.isEmpty { values.append(actual.map { text in !unwanted.contains { hit($0, text) } }) }
        }
        strings(match.principals, match.notPrincipals, principal, isPrincipal: true)
        strings(match.namespaces, match.notNamespaces, facts.source?.namespace, isPrincipal: false)
        let account = facts.source.map { NamespacedName(namespace: $0.namespace, name: $0.serviceAccount) }
        if !match.serviceAccounts.isEmpty { values.append(account.map(match.serviceAccounts.contains) ?? false) }
        if !match.notServiceAccounts.isEmpty { values.append(account.map { !match.notServiceAccounts.contains($0) }) }
        func addresses(_ wanted: [IPPrefix], _ unwanted: [IPPrefix], _ actual: IPAddress) {
            if !wanted.isEmpty { values.append(wanted.filter { $0.contains(actual) }.count > 0) }
            if !unwanted.isEmpty { values.append(unwanted.filter { $0.contains(actual) }.count == 0) }
        }
        addresses(match.sourceIPs, match.notSourceIPs, facts.sourceAddress)
        addresses(match.destinationIPs, match.notDestinationIPs, facts.destinationAddress)
        if !match.destinationPorts.isEmpty { values.append(match.destinationPorts.contains(facts.destinationPort)) }
        if !match.notDestinationPorts.isEmpty {
            values.append(!match.notDestinationPorts.contains(facts.destinationPort))
        }
        return values.isEmpty ? nil : and(values)
    }

    private static func glob(_ pattern: StringMatch, _ text: String, _ isPrincipal: Bool) -> Bool {
        func bare(_ text: String) -> [UInt8] {
            Array((isPrincipal && text.hasPrefix("spiffe://") ? String(text.dropFirst(9)) : text).utf8)
        }
        let bytes = Array(text.utf8)
        switch pattern {
        case .presence: return !bytes.isEmpty
        case .exact(let pattern): return bytes == bare(pattern)
        case .prefix(let pattern): return Array(bytes.prefix(bare(pattern).count)) == bare(pattern)
        case .suffix(let pattern): return Array(bytes.suffix(pattern.utf8.count)) == Array(pattern.utf8)
        }
    }

    private static func and(_ values: [Bool?]) -> Bool? {
        values.contains(false) ? false : values.contains(nil) ? nil : true
    }

    private static func or(_ values: [Bool?]) -> Bool? {
        values.contains(true) ? true : values.contains(nil) ? nil : false
    }
}
