import Addressing
import Mesh
import Testing

@testable import XDS

/// Draws policies with every field, often none and often several values of it.
struct PolicyDraw {
    var generator: SeededGenerator

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &generator)]
    }

    mutating func some<Value>(_ draw: (inout PolicyDraw) -> Value) -> [Value] {
        let count = Bool.random(using: &generator) ? 0 : Int.random(in: 0...3, using: &generator)
        return (0..<count).map { _ in draw(&self) }
    }

    mutating func string() -> StringMatch {
        let text = pick(["", "a", "td/ns/a/sa/b", "*", "spiffe://td/", "\u{00e4}", "a/b"])
        return pick([.exact(text), .prefix(text), .suffix(text), .presence])
    }

    mutating func account() -> NamespacedName {
        NamespacedName(namespace: pick(["a", "b.c"]), name: pick(["d", "e-f"]))
    }

    mutating func block() -> IPPrefix {
        Samples.prefix(pick(["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3", "::/0", "fd00::/64", "fd00::1", "1.2.3.4/31"]))
    }

    mutating func port() -> UInt16 { pick([1, 80, 15008, 65535]) }

    mutating func match() -> AuthorizationMatch {
        var match = AuthorizationMatch()
        match.principals = some { $0.string() }
        match.notPrincipals = some { $0.string() }
        match.namespaces = some { $0.string() }
        match.notNamespaces = some { $0.string() }
        match.serviceAccounts = some { $0.account() }
        match.notServiceAccounts = some { $0.account() }
        match.sourceIPs = some { $0.block() }
        match.notSourceIPs = some { $0.block() }
        match.destinationIPs = some { $0.block() }
        match.notDestinationIPs = some { $0.block() }
        match.destinationPorts = some { $0.port() }
        match.notDestinationPorts = some { $0.port() }
        return match
    }

    mutating func httpParts() -> [HTTPPart] {
        let rules = Set(some { $0.pick([0, 1, 2, 7, 1000]) }).sorted()
        return rules.map { rule in
            HTTPPart(
                rule: rule, isDropped: pick([false, true]),
                fields: some { $0.pick(["to[].operation.paths", "to[].operation.hosts", "when[0].key"]) })
        }
    }

    mutating func policy() -> AuthorizationPolicy {
        AuthorizationPolicy(
            name: NamespacedName(namespace: pick(["a", "root"]), name: pick(["p", "istio_converted_static_strict"])),
            scope: pick([.mesh, .namespace, .workload]), action: pick([.allow, .deny, .audit, .custom]),
            rules: some { draw in
                AuthorizationRule(
                    clauses: draw.some { draw in
                        AuthorizationClause(kind: draw.pick([.from, .to, .when]), matches: draw.some { $0.match() })
                    })
            },
            isDryRun: pick([false, true]), origin: pick([.authorizationPolicy, .peerAuthentication]),
            httpParts: httpParts())
    }
}

extension AuthorizationPolicy {
    /// The same policy with what never and what always matches written in one way, as it comes from the wire.
    var normalised: AuthorizationPolicy {
        var policy = self
        for rule in policy.rules.indices {
            for clause in policy.rules[rule].clauses.indices {
                let matches = policy.rules[rule].clauses[clause].matches
                let isOpen = matches.isEmpty || matches.contains(where: \.isEmpty)
                if action == .allow {
                    // Never matches: one match without fields says so.
                    if matches.isEmpty { policy.rules[rule].clauses[clause].matches = [AuthorizationMatch()] }
                } else if isOpen {
                    policy.rules[rule].clauses[clause].matches = []
                }
            }
        }
        return policy
    }
}

@Suite struct `Policies of any kind` {
    @Test func `keep every field on the wire, and are there what they are here`() throws {
        var draw = PolicyDraw(generator: SeededGenerator(state: 20))
        let translator = Translator()
        var fields = Set<String>()
        for _ in 0..<5000 {
            let policy = draw.policy()
            let resource = try #require(try translator.resource(of: .policyUpserted(policy)))
            let bytes: [UInt8] = try resource.serializedBytes()
            let back = try translator.change(of: try WireResource(serializedBytes: bytes), type: .authorization)
            guard case .policyUpserted(let received) = back else {
                Issue.record("it came back as something else")
                return
            }
            #expect(received == policy.normalised)
            // And the second time nothing changes any more, so versions agree on both sides.
            #expect(
                try translator.resource(of: back)?.version
                    == translator.resource(of: .policyUpserted(received))?.version)
            fields.insert("\(policy.action) \(policy.scope) \(policy.origin) \(policy.isDryRun)")
        }
        #expect(fields.count == 4 * 3 * 2 * 2)
    }
}
