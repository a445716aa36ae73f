import Addressing
import Mesh
import Resources
import TestSupport
import Testing

@Suite struct `An AuthorizationPolicy manifest` {
    private func rules(_ spec: String) throws -> [AuthorizationRule] {
        try #require(policy(policyText(spec: spec))).rules
    }

    private func match(_ body: (inout AuthorizationMatch) -> Void) -> AuthorizationMatch {
        var match = AuthorizationMatch()
        body(&match)
        return match
    }

    @Test func `becomes a rule of its L4 fields`() throws {
        let spec = """
            action: DENY
            selector: {matchLabels: {app: api}}
            rules:
            - from:
              - source:
                  principals: ["spiffe://cluster.local/ns/shop/sa/web", "*/sa/b", "c*", "*"]
                  notNamespaces: [a]
                  serviceAccounts: [web, other/db]
                  ipBlocks: [10.0.0.0/8, "fd00::1"]
              - source: {notPrincipals: ["*"]}
              to:
              - operation: {ports: ["8080", 90], notPorts: ["91"]}
              when:
              - {key: source.namespace, values: [shop]}
              - {key: destination.port, notValues: ["1"]}
            """
        let manifest = try #require(policy(policyText(spec: spec)))
        #expect(manifest.action == .deny)
        #expect(manifest.selector == ["app": "api"])
        let first = match {
            $0.principals = [.exact("cluster.local/ns/shop/sa/web"), .suffix("/sa/b"), .prefix("c"), .presence]
            $0.notNamespaces = [.exact("a")]
            $0.serviceAccounts = [.init(namespace: "shop", name: "web"), .init(namespace: "other", name: "db")]
            $0.sourceIPs = [IPPrefix("10.0.0.0/8"), IPPrefix("fd00::1")].compactMap { $0 }
        }
        #expect(
            manifest.rules == [
                AuthorizationRule(clauses: [
                    .init(kind: .from, matches: [first, match { $0.notPrincipals = [.presence] }]),
                    .init(
                        kind: .to,
                        matches: [
                            match {
                                $0.destinationPorts = [8080, 90]; $0.notDestinationPorts = [91]
                            }
                        ]),
                    .init(kind: .when, matches: [match { $0.namespaces = [.exact("shop")] }]),
                    .init(kind: .when, matches: [match { $0.notDestinationPorts = [1] }]),
                ])
            ])
    }

    @Test func `keeps the difference between no rules and an empty rule`() throws {
        #expect(try rules("action: ALLOW") == [])
        #expect(try rules("rules: []") == [])
        #expect(try rules("rules: [{}]") == [AuthorizationRule(clauses: [])])
        #expect(try #require(policy(policyText(spec: "action: ALLOW").replacing("spec:", with: "status:"))).rules == [])
    }

    @Test(arguments: ["ALLOW", "DENY", "AUDIT", "CUSTOM"])
    func `has one of four actions`(action: String) throws {
        #expect(try #require(policy(policyText(spec: "action: \(action)"))).action.rawValue == action.lowercased())
    }

    @Test func `loses an ALLOW rule that needs HTTP, whole, with a warning`() throws {
        let spec = """
            rules:
            - to: [{operation: {methods: [GET]}}]
            - from: [{source: {namespaces: [a]}}]
              to: [{operation: {ports: ["80"], paths: [/x]}}]
            - when: [{key: "request.headers[x]", values: [y]}]
            - from: [{source: {remoteIpBlocks: [1.2.3.4]}}, {source: {namespaces: [b]}}]
            - from: [{source: {namespaces: [kept]}}]
            """
        #expect(
            try rules(spec) == [
                .init(clauses: [.init(kind: .from, matches: [match { $0.namespaces = [.exact("kept")] }])])
            ])
        #expect(
            places(policy(spec: spec)) == [
                "warning 6 spec.rules[0]", "warning 7 spec.rules[1]", "warning 9 spec.rules[2]",
                "warning 10 spec.rules[3]",
            ])
    }

    @Test func `keeps the L4 part of a DENY rule that needs HTTP, and matches everything if nothing is left`() throws {
        let spec = """
            action: DENY
            rules:
            - to: [{operation: {methods: [GET]}}]
            - from: [{source: {namespaces: [a], requestPrincipals: ["*"]}}]
              to: [{operation: {ports: ["80"]}}, {operation: {paths: [/x]}}]
              when: [{key: connection.sni, values: [y]}, {key: source.ip, values: [10.0.0.1]}]
            """
        #expect(
            try rules(spec) == [
                .init(clauses: []),
                .init(clauses: [
                    .init(kind: .from, matches: [match { $0.namespaces = [.exact("a")] }]),
                    .init(kind: .when, matches: [match { $0.sourceIPs = [IPPrefix(ip("10.0.0.1"))] }]),
                ]),
            ])
        #expect(places(policy(spec: spec)) == ["warning 7 spec.rules[0]", "warning 8 spec.rules[1]"])
    }

    @Test func `names each field that needs HTTP, with the number of its rule`() throws {
        let l7 = """
            rules:
            - from: [{source: {namespaces: [a]}}]
            - from: [{source: {requestPrincipals: ["*"], notRemoteIpBlocks: [1.2.3.4]}}, {source: {requestPrincipals: [b]}}]
              to: [{operation: {hosts: [a], ports: ["80"]}}, {operation: {notMethods: [GET]}}]
              when:
              - {key: "request.headers[x]", values: [y], notValues: [z]}
              - {key: connection.sni, notValues: [y]}
            - to: [{operation: {paths: [/x]}}]
            """
        let fields = [
            "from[].source.requestPrincipals", "from[].source.notRemoteIpBlocks", "to[].operation.hosts",
            "to[].operation.notMethods", "when[request.headers[x]].values", "when[request.headers[x]].notValues",
            "when[connection.sni].notValues",
        ]
        let allow = try #require(policy(policyText(spec: l7)))
        #expect(
            allow.httpParts == [
                HTTPPart(rule: 1, isDropped: true, fields: fields),
                HTTPPart(rule: 2, isDropped: true, fields: ["to[].operation.paths"]),
            ])
        #expect(allow.httpParts.last?.text == "rule 2 dropped: needs a waypoint: to[].operation.paths")
        let deny = try #require(policy(policyText(spec: "action: DENY\n" + l7)))
        #expect(deny.httpParts.map(\.isDropped) == [false, false])
        #expect(deny.rules.count == 3)
    }

    @Test(arguments: [
        ("acton: DENY", "error 5 spec.acton"), ("action: Deny", "error 5 spec.action"),
        ("rules: {}", "error 5 spec.rules"),
        ("rules: [null]", "error 5 spec.rules[0]"), ("rules:\n- form: []", "error 6 spec.rules[0].form"),
        ("rules:\n- from:", "error 6 spec.rules[0].from"), ("rules:\n- from: []", "error 6 spec.rules[0].from"),
        ("rules:\n- from:\n  - source: {}", "error 7 spec.rules[0].from[0].source"),
        ("rules:\n- from:\n  - source:", "error 7 spec.rules[0].from[0].source"),
        ("rules:\n- from:\n  - {}", "error 7 spec.rules[0].from[0].source"),
        ("rules:\n- from:\n  - principals: [a]", "error 7 spec.rules[0].from[0].principals"),
        ("rules:\n- from:\n  - source:\n      principal: [a]", "error 8 spec.rules[0].from[0].source.principal"),
        ("rules:\n- from:\n  - source:\n      principals: []", "error 8 spec.rules[0].from[0].source.principals"),
        ("rules:\n- from:\n  - source:\n      principals: a", "error 8 spec.rules[0].from[0].source.principals"),
        ("rules:\n- from:\n  - source:\n      principals: [a*b]", "error 8 spec.rules[0].from[0].source.principals[0]"),
        (
            "rules:\n- from:\n  - source:\n      principals: ['*a*']",
            "error 8 spec.rules[0].from[0].source.principals[0]"
        ),
        ("rules:\n- from:\n  - source:\n      namespaces: ['']", "error 8 spec.rules[0].from[0].source.namespaces[0]"),
        (
            "rules:\n- from:\n  - source:\n      serviceAccounts: [a/b/c]",
            "error 8 spec.rules[0].from[0].source.serviceAccounts[0]"
        ),
        (
            "rules:\n- from:\n  - source:\n      serviceAccounts: ['*']",
            "error 8 spec.rules[0].from[0].source.serviceAccounts[0]"
        ),
        (
            "rules:\n- from:\n  - source:\n      ipBlocks: [10.0.0.0/33]",
            "error 8 spec.rules[0].from[0].source.ipBlocks[0]"
        ),
        ("rules:\n- to:\n  - operation:\n      ports: [http]", "error 8 spec.rules[0].to[0].operation.ports[0]"),
        ("rules:\n- to:\n  - operation:\n      port: [80]", "error 8 spec.rules[0].to[0].operation.port"),
        ("rules:\n- when:\n  - {key: source.prinicpal, values: [a]}", "error 7 spec.rules[0].when[0].key"),
        ("rules:\n- when:\n  - {key: source.ip}", "error 7 spec.rules[0].when[0]"),
        ("rules:\n- when:\n  - {values: [a]}", "error 7 spec.rules[0].when[0].key"),
        ("rules:\n- when:\n  - {key: source.ip, values: []}", "error 7 spec.rules[0].when[0].values"),
        ("selector: {matchLabels: {a: b}}\ntargetRefs: [{kind: Service, name: api}]", "error 6 spec.targetRefs"),
        ("selector: {matchExpressions: []}", "error 5 spec.selector.matchExpressions"),
        ("selector: {matchLabels: {app: '*'}}", "error 5 spec.selector"), ("dryRun: maybe", "error 5 spec.dryRun"),
    ])
    func `that could be misread is refused`(spec: String, place: String) {
        let file = policy(spec: spec)
        #expect(file.entries.map(\.object) == [nil])
        #expect(places(file).filter { $0.hasPrefix("error") }.contains(place), "\(places(file))")
    }

    @Test func `may be a dry run, by field or annotation`() throws {
        #expect(try #require(policy(policyText(spec: "dryRun: true"))).isDryRun)
        let annotated = policyText(spec: "action: DENY").replacing(
            "namespace: shop", with: "namespace: shop, annotations: {istio.io/dry-run: 'true'}")
        #expect(try #require(policy(annotated)).isDryRun)
        #expect(policy(annotated.replacing("'true'", with: "'tru'")) == nil)
    }

    @Test func `may be of our own group`() throws {
        let text = policyText(spec: "action: DENY").replacing("security.istio.io/v1", with: "meshnode.dev/v1")
        #expect(try #require(policy(text)).action == .deny)
    }

    @Test func `with targets is the waypoints', and says so`() throws {
        let spec = "targetRefs: [{kind: Service, name: api}]"
        #expect(try #require(policy(policyText(spec: spec))).hasTargets)
        #expect(places(policy(spec: spec)) == ["warning 5 spec.targetRefs"])
    }
}

@Suite struct `A PeerAuthentication manifest` {
    private func read(_ spec: String) -> ManifestFile {
        ResourcesTests.read(
            "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p, namespace: shop}\nspec:\n  \(spec)\n"
        )
    }

    private func manifest(_ spec: String) -> PeerAuthenticationManifest? {
        if case .peerAuthentication(let manifest) = read(spec).entries.first?.object { manifest } else { nil }
    }

    @Test func `has a mode, and exceptions together with a selector`() throws {
        #expect(try #require(manifest("mtls: {mode: STRICT}")).mode == .strict)
        #expect(try #require(manifest("mtls: {}")).mode == .unset)
        let ported = try #require(manifest("{selector: {matchLabels: {a: b}}, portLevelMtls: {8080: {mode: DISABLE}}}"))
        #expect(ported.selector == ["a": "b"])
        #expect(ported.portModes == [8080: .disable])
        #expect(places(read("portLevelMtls: {80: {mode: STRICT}}")) == ["warning 5 spec.portLevelMtls"])
    }

    @Test(arguments: [
        ("mtls: {mode: strict}", "spec.mtls.mode"), ("mtls: {mod: STRICT}", "spec.mtls.mod"),
        ("mtl: {mode: STRICT}", "spec.mtl"),
        ("portLevelMtls: {http: {mode: STRICT}}", "spec.portLevelMtls.http"),
    ])
    func `that could be misread is refused`(spec: String, field: String) {
        #expect(places(read(spec)) == ["error 5 \(field)"])
        #expect(manifest(spec) == nil)
    }
}
