import Addressing
import Mesh
import TestSupport
import Testing

func facts(
    from source: SPIFFEID? = identity("shop", "web"), at sourceAddress: String = "10.0.0.1",
    to destination: String = "10.0.0.2:8080"
) -> ConnectionFacts {
    let destination = socketAddress(destination)
    return ConnectionFacts(
        source: source, sourceAddress: ip(sourceAddress), destinationAddress: destination.ip,
        destinationPort: destination.port)
}

func match(_ change: (inout AuthorizationMatch) -> Void) -> AuthorizationMatch {
    var match = AuthorizationMatch()
    change(&match)
    return match
}

func policy(
    _ name: String, _ action: AuthorizationPolicy.Action, rules: [AuthorizationRule], dryRun: Bool = false,
    origin: AuthorizationPolicy.Origin = .authorizationPolicy
) -> AuthorizationPolicy {
    AuthorizationPolicy(
        name: named(name), scope: .workload, action: action, rules: rules, isDryRun: dryRun, origin: origin)
}

func policy(
    _ action: AuthorizationPolicy.Action, rules: [AuthorizationRule],
    origin: AuthorizationPolicy.Origin = .authorizationPolicy
) -> AuthorizationPolicy {
    policy("pay/p", action, rules: rules, origin: origin)
}

/// One rule with one clause with one match.
func rule(
    _ kind: AuthorizationClause.Kind = .from, _ change: (inout AuthorizationMatch) -> Void
) -> AuthorizationRule {
    AuthorizationRule(clauses: [AuthorizationClause(kind: kind, matches: [match(change)])])
}

let anything = AuthorizationRule(clauses: [])

/// STRICT, as it is written for the evaluator.
let strict = policy(
    "root/strict", .deny, rules: [rule { $0.notPrincipals = [.presence] }], origin: .peerAuthentication)

@Suite struct `The authorizer` {
    func decide(_ facts: ConnectionFacts, _ policies: AuthorizationPolicy...) -> Verdict {
        Authorizer.decide(facts, policies: policies)
    }

    @Test func `allows where no policy applies`() {
        let verdict = decide(facts())
        #expect(verdict.isAllowed)
        #expect(verdict.basis == .noAllowPolicy)
    }

    @Test func `allows what no DENY matches where there is no ALLOW`() {
        #expect(decide(facts(), policy(.deny, rules: [rule { $0.principals = [.exact("x")] }])).isAllowed)
    }

    @Test func `denies everything for an ALLOW without rules`() {
        let verdict = decide(facts(), policy(.allow, rules: []))
        #expect(verdict.reason == .noAllowMatch)
        #expect(
            verdict.misses == [
                PolicyMiss(policy: named("pay/p"), rule: nil, field: "rules", wanted: "at least one rule", was: "none")
            ])
    }

    @Test func `denies nothing for a DENY without rules`() {
        #expect(decide(facts(), policy(.deny, rules: [])).isAllowed)
    }

    @Test func `matches everyone with an empty rule`() {
        #expect(decide(facts(from: nil), policy(.allow, rules: [anything])).isAllowed)
        #expect(decide(facts(), policy(.deny, rules: [anything])).reason == .policyDeny)
    }

    @Test func `never lets an ALLOW match by what is missing, and always a DENY`() {
        for empty in [
            AuthorizationRule(clauses: [AuthorizationClause(kind: .to, matches: [])]), rule(.to) { _ in },
        ] {
            #expect(decide(facts(), policy(.allow, rules: [empty])).reason == .noAllowMatch)
            #expect(decide(facts(), policy(.deny, rules: [empty])).reason == .policyDeny)
            #expect(decide(facts(), policy(.custom, rules: [empty])).reason == .policyDeny)
        }
    }

    @Test func `lets DENY win over ALLOW, and names policy and rule`() {
        let verdict = decide(
            facts(), policy("pay/yes", .allow, rules: [anything]),
            policy(
                "pay/no", .deny,
                rules: [rule { $0.namespaces = [.exact("x")] }, rule { $0.namespaces = [.exact("shop")] }]))
        #expect(verdict.reason == .policyDeny)
        #expect(verdict.policy == named("pay/no"))
        #expect(verdict.rule == 1)
    }

    @Test func `names the ALLOW that matched`() {
        let verdict = decide(
            facts(), policy("pay/a", .allow, rules: []), policy("pay/b", .allow, rules: [anything]))
        #expect(verdict.isAllowed)
        #expect(verdict.policy == named("pay/b"))
        #expect(verdict.rule == 0)
        #expect(verdict.misses.isEmpty)
    }

    @Test func `refuses what a CUSTOM policy selects, before all else`() {
        let verdict = decide(
            facts(), policy("pay/deny", .deny, rules: [anything]), policy("pay/custom", .custom, rules: [anything]))
        #expect(verdict.basis == .customMatch)
        #expect(verdict.policy == named("pay/custom"))
        #expect(decide(facts(), policy(.custom, rules: [rule { $0.namespaces = [.exact("x")] }])).isAllowed)
    }

    @Test func `calls plaintext under STRICT by its name`() {
        #expect(decide(facts(from: nil), strict).reason == .plaintextRefused)
        #expect(decide(facts(), strict).isAllowed)
        let both = decide(facts(from: nil), policy("a/a", .deny, rules: [anything]), strict)
        #expect(both.reason == .plaintextRefused)
        #expect(both.policy == strict.name)
    }

    @Test func `exempts a port from STRICT`() {
        var match = match { $0.notPrincipals = [.presence] }
        match.notDestinationPorts = [8080]
        let strict = policy(
            .deny, rules: [AuthorizationRule(clauses: [AuthorizationClause(kind: .from, matches: [match])])],
            origin: .peerAuthentication)
        #expect(decide(facts(from: nil), strict).isAllowed)
        #expect(decide(facts(from: nil, to: "10.0.0.2:8081"), strict).reason == .plaintextRefused)
    }

    static let negativeIdentityFields: [@Sendable (inout AuthorizationMatch) -> Void] = [
        { $0.notPrincipals = [.exact("cluster.local/ns/evil/sa/evil")] },
        { $0.notNamespaces = [.exact("evil")] },
        { $0.notServiceAccounts = [NamespacedName(namespace: "evil", name: "evil")] },
    ]

    @Test(arguments: 0..<3, [AuthorizationClause.Kind.from, .when])
    func `takes no identity as satisfying no negation in an ALLOW and every one in a DENY`(
        field: Int, kind: AuthorizationClause.Kind
    ) {
        let rules = [rule(kind, Self.negativeIdentityFields[field])]
        #expect(decide(facts(from: nil), policy(.allow, rules: rules)).reason == .noAllowMatch)
        #expect(decide(facts(from: nil), policy(.deny, rules: rules)).reason == .policyDeny)
        #expect(decide(facts(), policy(.allow, rules: rules)).isAllowed)
        #expect(decide(facts(), policy(.deny, rules: rules)).reason == .policyDeny)
        let evil = facts(from: identity("evil", "evil"))
        #expect(decide(evil, policy(.allow, rules: rules)).reason == .noAllowMatch)
        #expect(decide(evil, policy(.deny, rules: rules)).isAllowed)
    }

    @Test func `takes no identity as satisfying no positive field in either`() {
        for change: @Sendable (inout AuthorizationMatch) -> Void in [
            { $0.principals = [.presence] }, { $0.namespaces = [.presence] },
            { $0.serviceAccounts = [NamespacedName(namespace: "shop", name: "web")] },
        ] {
            #expect(!decide(facts(from: nil), policy(.allow, rules: [rule(.from, change)])).isAllowed)
            #expect(decide(facts(from: nil), policy(.deny, rules: [rule(.from, change)])).isAllowed)
        }
    }

    @Test func `takes negated addresses and ports as ordinary, identity or not`() {
        let rules = [
            rule { $0.notSourceIPs = [IPPrefix("192.0.2.0/24")!] }, rule(.to) { $0.notDestinationPorts = [1] },
        ]
        #expect(decide(facts(from: nil), policy(.allow, rules: [rules[0]])).isAllowed)
        #expect(decide(facts(from: nil), policy(.allow, rules: [rules[1]])).isAllowed)
        #expect(!decide(facts(at: "192.0.2.1"), policy(.allow, rules: [rules[0]])).isAllowed)
    }

    @Test(arguments: [
        ("cluster.local/ns/shop/sa/web", true), ("spiffe://cluster.local/ns/shop/sa/web", true),
        ("cluster.local/ns/shop/*", true), ("spiffe://cluster.local/*", true), ("*/sa/web", true), ("*", true),
        ("*local/ns/shop/sa/web", true), ("cluster.local/ns/shop/sa/we", false),
        ("cluster.local/ns/shop/sa/webb", false),
        ("cluster.local/ns/shop/sa/web/*", false), ("*b/sa/web", false), ("Cluster.local/ns/shop/sa/web", false),
        ("*xcluster.local/ns/shop/sa/web", false), ("", false), ("cluster.local/ns/*/sa/web", false),
    ])
    func `compares principals`(pattern: String, matches: Bool) {
        let rules = [rule { $0.principals = [StringMatch(policyText: pattern)] }]
        #expect(decide(facts(), policy(.allow, rules: rules)).isAllowed == matches)
    }

    @Test func `does not take equivalent characters for equal`() {
        let kelvin = StringMatch.exact("cluster.local/ns/shop/sa/\u{212a}")
        #expect(!kelvin.matches(identity("shop", "K")))
        #expect(!StringMatch.exact("\u{212a}").matches("K"))
        #expect(StringMatch.prefix("a").matches("a\u{301}"))
    }

    @Test func `compares a service account with its namespace`() {
        let rules = [rule { $0.serviceAccounts = [named("shop/web")] }]
        #expect(decide(facts(), policy(.allow, rules: rules)).isAllowed)
        #expect(!decide(facts(from: identity("pay", "web")), policy(.allow, rules: rules)).isAllowed)
    }

    @Test func `compares addresses of one family only, mapped ones as IPv4`() {
        let rules = [rule { $0.sourceIPs = [IPPrefix("0.0.0.0/0")!] }]
        #expect(decide(facts(at: "::ffff:10.0.0.1"), policy(.allow, rules: rules)).isAllowed)
        #expect(!decide(facts(at: "fd00::1"), policy(.allow, rules: rules)).isAllowed)
    }

    @Test func `needs every clause, any match of a clause, every field of a match`() {
        let clauses = [
            AuthorizationClause(
                kind: .from,
                matches: [match { $0.namespaces = [.exact("x")] }, match { $0.namespaces = [.exact("shop")] }]),
            AuthorizationClause(
                kind: .to,
                matches: [
                    match {
                        $0.destinationPorts = [80, 8080]; $0.destinationIPs = [IPPrefix("10.0.0.2")!]
                    }
                ]),
        ]
        let allow = policy(.allow, rules: [AuthorizationRule(clauses: clauses)])
        #expect(decide(facts(), allow).isAllowed)
        #expect(!decide(facts(to: "10.0.0.2:8081"), allow).isAllowed)
        #expect(!decide(facts(to: "10.0.0.3:8080"), allow).isAllowed)
        #expect(!decide(facts(from: identity("y", "web")), allow).isAllowed)
    }

    @Test func `never enforces a dry run, and says what it would do`() {
        let deny = decide(facts(), policy("pay/d", .deny, rules: [anything], dryRun: true))
        #expect(deny.isAllowed)
        #expect(deny.dryRun == [DryRunOutcome(policy: named("pay/d"), effect: .wouldDeny)])
        let narrow = decide(facts(), policy("pay/a", .allow, rules: [], dryRun: true))
        #expect(narrow.isAllowed)
        #expect(narrow.dryRun == [DryRunOutcome(policy: named("pay/a"), effect: .wouldDeny)])
        let beside = decide(
            facts(), policy("pay/a", .allow, rules: [], dryRun: true), policy("pay/b", .allow, rules: [anything]))
        #expect(beside.dryRun.isEmpty)
        let wide = decide(
            facts(), policy("pay/a", .allow, rules: [anything], dryRun: true), policy("pay/b", .allow, rules: []))
        #expect(wide.reason == .noAllowMatch)
        #expect(wide.misses.map(\.policy) == [named("pay/b")])
        #expect(wide.dryRun == [DryRunOutcome(policy: named("pay/a"), effect: .wouldAllow)])
    }

    @Test func `speaks of a dry run only where it would turn the verdict`() {
        let dryAllow = policy("pay/a", .allow, rules: [anything], dryRun: true)
        let dryDeny = policy("pay/d", .deny, rules: [anything], dryRun: true)
        let allowNobody = policy("pay/n", .allow, rules: [])
        let deny = policy("pay/x", .deny, rules: [anything])
        #expect(decide(facts(), dryAllow).dryRun.isEmpty)
        #expect(decide(facts(), dryAllow, policy("pay/b", .allow, rules: [anything])).dryRun.isEmpty)
        #expect(decide(facts(), dryAllow, deny).dryRun.isEmpty)
        #expect(decide(facts(), dryDeny, deny).dryRun.isEmpty)
        #expect(decide(facts(), dryAllow, dryDeny, allowNobody).dryRun.isEmpty)
        #expect(decide(facts(from: nil), dryAllow, strict).dryRun.isEmpty)
        #expect(decide(facts(), dryAllow, dryDeny).dryRun.map(\.policy) == [named("pay/d")])
        let custom = decide(facts(), policy("pay/c", .custom, rules: [anything], dryRun: true))
        #expect(custom.isAllowed)
        #expect(custom.dryRun == [DryRunOutcome(policy: named("pay/c"), effect: .wouldDeny)])
        let two = decide(facts(), dryAllow, policy("pay/b", .allow, rules: [], dryRun: true))
        #expect(two.isAllowed && two.dryRun.isEmpty)
    }

    @Test func `refuses plaintext under STRICT before it asks CUSTOM`() {
        let verdict = decide(facts(from: nil), policy("pay/c", .custom, rules: [anything]), strict)
        #expect(verdict.reason == .plaintextRefused)
    }

    @Test func `counts rules as they are written, dropped ones included`() {
        func allow(_ rules: [AuthorizationRule], dropped: [Int]) -> AuthorizationPolicy {
            var policy = policy("pay/a", .allow, rules: rules)
            policy.httpParts = dropped.map {
                HTTPPart(rule: $0, isDropped: true, fields: ["to[].operation.paths", "to[].operation.methods"])
            }
            return policy
        }
        let nobody = rule { $0.namespaces = [.exact("nobody")] }
        #expect(decide(facts(), allow([nobody, anything], dropped: [0, 2])).rule == 3)
        #expect(decide(facts(), allow([nobody, anything], dropped: [1])).rule == 2)
        #expect(decide(facts(), allow([nobody, anything], dropped: [2])).rule == 1)
        let missed = decide(facts(), allow([nobody], dropped: [1]))
        #expect(missed.misses.map(\.rule) == [0, 1])
        #expect(
            missed.misses.last?.text
                == "rule 1: to[].operation.paths, to[].operation.methods is not seen at L4, wanted a waypoint")
        #expect(decide(facts(), allow([], dropped: [0])).reason == .noAllowMatch)
    }

    @Test func `only records with AUDIT`() {
        let verdict = decide(
            facts(), policy("pay/a", .audit, rules: [anything]), policy("pay/b", .audit, rules: []),
            policy("pay/c", .audit, rules: [anything], dryRun: true))
        #expect(verdict.isAllowed)
        #expect(verdict.audited == [named("pay/a")])
        let denied = decide(
            facts(), policy("pay/a", .audit, rules: [anything]), policy("pay/d", .deny, rules: [anything]))
        #expect(denied.audited == [named("pay/a")])
    }

    @Test func `refuses only for reasons of its own`() {
        #expect(Set([strict].map { decide(facts(from: nil), $0).reason }) == [.plaintextRefused])
        #expect(decide(facts(), policy(.deny, rules: [anything])).reason == .policyDeny)
        #expect(decide(facts(), policy(.allow, rules: [])).reason == .noAllowMatch)
    }
}

@Suite struct `An explanation` {
    @Test(arguments: [
        (
            AuthorizationClause.Kind.from, "principals", "from[].source.principals", "cluster.local/ns/shop/sa/web",
            "a or b*"
        ),
        (.from, "notNamespaces", "from[].source.notNamespaces", "shop", "anything but shop"),
        (.from, "sourceIPs", "from[].source.ipBlocks", "10.0.0.1", "192.0.2.0/24"),
        (.to, "ports", "to[].operation.ports", "8080", "80 or 81"),
        (.when, "principals", "when[source.principal].values", "cluster.local/ns/shop/sa/web", "a or b*"),
        (.when, "notNamespaces", "when[source.namespace].notValues", "shop", "anything but shop"),
        (.when, "ports", "when[destination.port].values", "8080", "80 or 81"),
    ])
    func `names the field as the user wrote it`(
        kind: AuthorizationClause.Kind, field: String, path: String, was: String, wanted: String
    ) {
        let rule = rule(kind) {
            switch field {
            case "principals": $0.principals = [.exact("a"), .prefix("b")]
            case "notNamespaces": $0.notNamespaces = [.exact("shop")]
            case "sourceIPs": $0.sourceIPs = [IPPrefix("192.0.2.0/24")!]
            default: $0.destinationPorts = [80, 81]
            }
        }
        let verdict = Authorizer.decide(facts(), policies: [policy(.allow, rules: [anythingElse, rule])])
        #expect(
            verdict.misses.last == PolicyMiss(policy: named("pay/p"), rule: 1, field: path, wanted: wanted, was: was))
    }

    let anythingElse = rule { $0.namespaces = [.exact("nobody")] }

    @Test func `says what any alternative of a clause would have wanted`() {
        let clause = AuthorizationClause(
            kind: .from, matches: [match { $0.principals = [.exact("a")] }, match { $0.principals = [.exact("b")] }])
        let verdict = Authorizer.decide(
            facts(), policies: [policy(.allow, rules: [AuthorizationRule(clauses: [clause])])])
        #expect(verdict.misses.map(\.wanted) == ["a or b"])
    }

    @Test func `says that there was no identity`() {
        let verdict = Authorizer.decide(
            facts(from: nil), policies: [policy(.allow, rules: [rule { $0.notNamespaces = [.exact("x")] }])])
        #expect(verdict.misses.map(\.was) == ["no identity"])
        #expect(
            verdict.explanation == [
                "denied, NO_ALLOW_MATCH: none of pay/p matches",
                "pay/p rule 0: from[].source.notNamespaces is no identity, wanted anything but x",
            ])
    }

    @Test func `considers every policy, in the order of evaluation`() {
        var allow = policy(
            "pay/allow", .allow,
            rules: [
                AuthorizationRule(clauses: [
                    AuthorizationClause(
                        kind: .from,
                        matches: [
                            match { $0.namespaces = [.exact("x")] }, match { $0.principals = [.suffix("/sa/web")] },
                        ]),
                    AuthorizationClause(kind: .to, matches: [match { $0.destinationPorts = [80, 8080] }]),
                ])
            ])
        allow.httpParts = [HTTPPart(rule: 0, isDropped: true, fields: ["to[].operation.paths"])]
        let policies = [
            policy("pay/audit", .audit, rules: [rule { $0.notNamespaces = [.exact("x")] }]), allow,
            policy("pay/deny", .deny, rules: [rule { $0.namespaces = [.exact("x")] }]),
            policy("pay/dry", .deny, rules: [anything], dryRun: true), strict,
            policy("pay/custom", .custom, rules: []),
        ]
        let explanation = Explanation(facts(), policies: policies)
        #expect(
            explanation.lines == [
                "allowed by pay/allow rule 1",
                "PeerAuthentication root/strict: no match",
                "  rule 0: from[].source.notPrincipals is cluster.local/ns/shop/sa/web, wanted anything but *",
                "CUSTOM pay/custom: no match",
                "  rules is none, wanted at least one rule",
                "DENY pay/deny: no match",
                "  rule 0: from[].source.namespaces is shop, wanted x",
                "DENY pay/dry (dry run, would-deny): rule 0 matches",
                "ALLOW pay/allow: rule 1 matches",
                "  from[].source.principals is cluster.local/ns/shop/sa/web: */sa/web",
                "  to[].operation.ports is 8080: 8080",
                "  rule 0 dropped: needs a waypoint: to[].operation.paths",
                "AUDIT pay/audit: rule 0 matches",
                "  from[].source.notNamespaces is shop: anything but x",
            ])
        #expect(explanation.considered.filter(\.isDecisive).map(\.policy) == [named("pay/allow")])
    }

    @Test(arguments: [
        (AuthorizationClause.Kind.when, "when[source.ip].values", "10.0.0.1", "10.0.0.0/8"),
        (.to, "to[].operation.ipBlocks", "10.0.0.2", "10.0.0.2/32"),
        (.from, "from[].source.serviceAccounts", "shop/web", "shop/web"),
        (.when, "when[source.namespace].values", "shop", "s*"),
        (.when, "when[destination.port].notValues", "8080", "anything but 1"),
    ])
    func `names the value that made a rule match`(
        kind: AuthorizationClause.Kind, field: String, was: String, value: String
    ) {
        let rule = rule(kind) {
            switch field.split(separator: "[").last {
            case "source.ip].values": $0.sourceIPs = [IPPrefix("192.0.2.0/24")!, IPPrefix("10.0.0.0/8")!]
            case "].operation.ipBlocks": $0.destinationIPs = [IPPrefix("10.0.0.2")!]
            case "].source.serviceAccounts": $0.serviceAccounts = [named("a/b"), named("shop/web")]
            case "source.namespace].values": $0.namespaces = [.prefix("p"), .prefix("s")]
            default: $0.notDestinationPorts = [1]
            }
        }
        let explanation = Explanation(facts(), policies: [policy(.deny, rules: [rule])])
        #expect(explanation.considered.first?.matches == [FieldMatch(field: field, value: value, was: was)])
    }

    @Test func `says which policies of the workload are missing, and what HTTP parts a DENY lost`() {
        var deny = policy("pay/d", .deny, rules: [anything])
        deny.httpParts = [HTTPPart(rule: 0, isDropped: false, fields: ["when[request.headers[x]]"])]
        let api = pod("api", in: "pay", at: ["10.0.0.2"], policies: ["pay/d", "pay/gone"].map(named))
        let explanation = Explanation(facts(), to: api, in: mesh([api], [], [deny]))
        #expect(
            explanation.lines == [
                "denied, POLICY_DENY: pay/d rule 0",
                "DENY pay/d: rule 0 matches",
                "  rule 0 matches more than written: needs a waypoint: when[request.headers[x]]",
                "pay/gone: named by the workload, but not known",
            ])
    }

    @Test func `sums up each kind of verdict`() {
        func summary(_ facts: ConnectionFacts, _ policies: [AuthorizationPolicy]) -> String {
            Authorizer.decide(facts, policies: policies).summary
        }
        #expect(summary(facts(), []) == "allowed: no ALLOW policy applies")
        #expect(summary(facts(), [policy(.deny, rules: [anything])]) == "denied, POLICY_DENY: pay/p rule 0")
        #expect(
            summary(facts(from: nil), [strict]) == "denied, PLAINTEXT_REFUSED: root/strict rule 0 wants mutual TLS")
        #expect(
            summary(facts(), [policy(.custom, rules: [anything])])
                == "denied, POLICY_DENY: pay/p rule 0 needs a waypoint to ask its authorizer")
    }
}
