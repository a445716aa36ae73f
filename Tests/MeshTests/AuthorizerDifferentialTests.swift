import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `Two evaluators` {
    @Test(arguments: 0..<4 as Range<UInt64>)
    func `agree on random policies and connections`(part: UInt64) {
        var random = SeededGenerator(state: 0x6d65_7368 &+ part &* 0x1_0000_0000)
        var seen: [Reason?: Int] = [:]
        for _ in 0..<2500 {
            let policies = (0..<Int.random(in: 0...4, using: &random)).map { Self.policy($0, &random) }
            for _ in 0..<20 {
                let facts = Self.facts(&random)
                let expected = NaiveAuthorizer.reason(facts, policies)
                let verdict = Authorizer.decide(facts, policies: policies)
                seen[expected, default: 0] += 1
                guard verdict.reason == expected, Self.isConsistent(verdict, facts, policies) else {
                    Issue.record("expected \(String(describing: expected)) for \(facts) under \(policies): \(verdict)")
                    return
                }
            }
        }
        // The generator must reach every outcome often, or the agreement means little.
        for reason: Reason? in [nil, .policyDeny, .plaintextRefused, .noAllowMatch] {
            #expect((seen[reason] ?? 0) > 500, "\(String(describing: reason)) came \(seen[reason] ?? 0) times")
        }
    }

    /// Whatever is said beside the decision must be true as well.
    private static func isConsistent(
        _ verdict: Verdict, _ facts: ConnectionFacts, _ policies: [AuthorizationPolicy]
    ) -> Bool {
        let byName = Dictionary(uniqueKeysWithValues: policies.map { ($0.name, $0) })
        if let name = verdict.policy {
            guard let policy = byName[name], NaiveAuthorizer.matches(policy, facts), !policy.isDryRun else {
                return false
            }
        }
        let considered = Set(verdict.misses.map(\.policy))
        let allowing = Set(policies.filter { $0.action == .allow && !$0.isDryRun }.map(\.name))
        guard considered == (verdict.basis == .noAllowMatch ? allowing : []) else { return false }
        let audited = policies.filter { $0.action == .audit && !$0.isDryRun && NaiveAuthorizer.matches($0, facts) }
        guard verdict.audited == audited.map(\.name) else { return false }
        return verdict.dryRun.allSatisfy { byName[$0.policy]?.isDryRun == true }
    }

    private static let domains = ["cluster.local", "other.org"]
    private static let names = ["shop", "pay", "web", "a"]

    private static func facts(_ random: inout SeededGenerator) -> ConnectionFacts {
        let isAnonymous = Int.random(in: 0..<4, using: &random) == 0
        return ConnectionFacts(
            source: isAnonymous ? nil : Self.identity(&random), sourceAddress: address(&random),
            destinationAddress: address(&random), destinationPort: port(&random))
    }

    private static func identity(_ random: inout SeededGenerator) -> SPIFFEID {
        SPIFFEID(
            trustDomain: TrustDomain(domains.randomElement(using: &random)!)!,
            namespace: names.randomElement(using: &random)!, serviceAccount: names.randomElement(using: &random)!)
    }

    private static func address(_ random: inout SeededGenerator) -> IPAddress {
        Bool.random(using: &random)
            ? IPAddress(v4: 0x0a00_0000 | UInt32.random(in: 0..<4, using: &random))
            : IPAddress(v6: 0xfd00 << 112 | UInt128(UInt8.random(in: 0..<4, using: &random)))
    }

    private static func port(_ random: inout SeededGenerator) -> UInt16 { UInt16.random(in: 80..<84, using: &random) }

    private static func policy(_ index: Int, _ random: inout SeededGenerator) -> AuthorizationPolicy {
        let actions: [AuthorizationPolicy.Action] = [.allow, .allow, .allow, .deny, .deny, .audit, .custom]
        let isStrict = Int.random(in: 0..<8, using: &random) == 0
        let rules = (0..<Int.random(in: 0...3, using: &random)).map { _ in rule(&random) }
        return AuthorizationPolicy(
            name: NamespacedName(namespace: "n", name: "p\(index)"), scope: .workload,
            action: isStrict ? .deny : actions.randomElement(using: &random)!, rules: rules,
            isDryRun: Int.random(in: 0..<6, using: &random) == 0,
            origin: isStrict ? .peerAuthentication : .authorizationPolicy)
    }

    private static func rule(_ random: inout SeededGenerator) -> AuthorizationRule {
        let kinds: [AuthorizationClause.Kind] = [.from, .to, .when]
        let sizes = [0, 1, 1, 1, 2]
        return AuthorizationRule(
            clauses: (0..<sizes.randomElement(using: &random)!).map { _ in
                AuthorizationClause(
                    kind: kinds.randomElement(using: &random)!,
                    matches: (0..<sizes.randomElement(using: &random)!).map { _ in match(&random) })
            })
    }

    private static func match(_ random: inout SeededGenerator) -> AuthorizationMatch {
        var match = AuthorizationMatch()
        func few<Value>(_ make: (inout SeededGenerator) -> Value) -> [Value] {
            (0..<Int.random(in: 1...2, using: &random)).map { _ in make(&random) }
        }
        for _ in 0..<[0, 1, 1, 2, 3].randomElement(using: &random)! {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: match.principals = few(principal)
            case 1: match.notPrincipals = few(principal)
            case 2: match.namespaces = few(namespace)
            case 3: match.notNamespaces = few(namespace)
            case 4: match.serviceAccounts = few(account)
            case 5: match.notServiceAccounts = few(account)
            case 6: match.sourceIPs = few(block)
            case 7: match.notSourceIPs = few(block)
            case 8: match.destinationIPs = few(block)
            case 9: match.notDestinationIPs = few(block)
            case 10: match.destinationPorts = few(port)
            default: match.notDestinationPorts = few(port)
            }
        }
        return match
    }

    private static func principal(_ random: inout SeededGenerator) -> StringMatch {
        pattern((Bool.random(using: &random) ? "" : "spiffe://") + identity(&random).principal, &random)
    }

    private static func namespace(_ random: inout SeededGenerator) -> StringMatch {
        pattern(names.randomElement(using: &random)!, &random)
    }

    private static func pattern(_ text: String, _ random: inout SeededGenerator) -> StringMatch {
        let cut = Int.random(in: 0...text.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return .presence
        case 1: return .prefix(String(text.prefix(cut)))
        case 2: return .suffix(String(text.suffix(cut)))
        default: return .exact(text)
        }
    }

    private static func account(_ random: inout SeededGenerator) -> NamespacedName {
        NamespacedName(
            namespace: names.randomElement(using: &random)!, name: names.randomElement(using: &random)!)
    }

    private static func block(_ random: inout SeededGenerator) -> IPPrefix {
        let address = address(&random)
        let lengths = address.family == .v4 ? [0, 8, 31, 32] : [0, 16, 127, 128]
        return IPPrefix(address, length: lengths.randomElement(using: &random)!)!
    }
}
