import Mesh
import Resources
import Testing

@testable import Controller

@Suite struct `The builder makes of policies` {
    private let pods =
        namespaceText("a") + namespaceText("b") + podText("a/p", ip: "10.0.0.1", labels: "app: api")
        + podText("a/q", ip: "10.0.0.2") + podText("b/p", ip: "10.0.0.3", labels: "app: api")

    private func names(_ mesh: BuiltMesh, _ pod: String) -> [String] {
        mesh.pod(pod)?.policies.map(\.description) ?? ["no pod"]
    }

    @Test func `scopes, by root namespace and selector`() throws {
        let selector = "selector: {matchLabels: {app: api}}"
        let mesh = build(
            pods + securityText("AuthorizationPolicy", "a/wide", "action: DENY")
                + securityText("AuthorizationPolicy", "a/narrow", selector)
                + securityText("AuthorizationPolicy", "istio-system/mesh", "action: AUDIT")
                + securityText("AuthorizationPolicy", "meshnode-system/chosen", selector)
                + securityText("AuthorizationPolicy", "a/waypoint", "targetRefs: [{kind: Service, name: x}]"))
        func scope(_ name: String) -> AuthorizationPolicy.Scope? { mesh.state.policies[mesh.name(name)]?.scope }
        #expect(scope("a/wide") == .namespace)
        #expect(scope("a/narrow") == .workload)
        #expect(scope("istio-system/mesh") == .mesh)
        #expect(scope("meshnode-system/chosen") == .workload)
        #expect(scope("a/waypoint") == nil)
        #expect(names(mesh, "a/p") == ["a/narrow", "meshnode-system/chosen"])
        #expect(names(mesh, "a/q") == [])
        #expect(names(mesh, "b/p") == ["meshnode-system/chosen"])
        #expect(mesh.state.policies[mesh.name("istio-system/mesh")]?.action == .audit)
    }

    private func strict(_ name: String, _ mode: String = "STRICT", created: String = "") -> String {
        securityText("PeerAuthentication", name, "mtls: {mode: \(mode)}", created: created)
    }

    private let converted = "meshnode-system/istio_converted_static_strict"

    @Test func `a refusal of everyone without identity where plaintext is not accepted`() throws {
        let mesh = build(pods + strict("a/default"))
        #expect(names(mesh, "a/p") == [converted])
        #expect(names(mesh, "b/p") == [])
        let policy = try #require(mesh.state.policies[mesh.name(converted)])
        var match = AuthorizationMatch()
        match.notPrincipals = [.presence]
        #expect(policy.scope == .workload && policy.action == .deny && policy.origin == .peerAuthentication)
        #expect(policy.rules == [AuthorizationRule(clauses: [AuthorizationClause(kind: .from, matches: [match])])])
    }

    @Test(arguments: ["PERMISSIVE", "DISABLE"])
    func `an exception of a namespace from the mesh's strictness`(mode: String) {
        let mesh = build(pods + strict("istio-system/default") + strict("a/default", mode))
        #expect(names(mesh, "a/p") == [])
        #expect(names(mesh, "b/p") == [converted])
    }

    @Test func `the mesh's mode where the namespace's is unset`() {
        let mesh = build(pods + strict("meshnode-system/default") + strict("a/default", "UNSET"))
        #expect(names(mesh, "a/p") == [converted])
    }

    @Test func `the oldest's mode where there are several, then the first by name`() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
        #expect(
            names(build(pods + strict("a/x", "PERMISSIVE", created: new) + strict("a/y", created: old)), "a/p") == [
                converted
            ])
        #expect(
            names(build(pods + strict("a/x", "PERMISSIVE", created: old) + strict("a/y", created: new)), "a/p") == [])
        #expect(names(build(pods + strict("a/x", "PERMISSIVE") + strict("a/y")), "a/p") == [])
        #expect(names(build(pods + strict("a/x", "PERMISSIVE") + strict("a/y", created: new)), "a/p") == [converted])
    }

    @Test func `a policy of its own where ports differ`() throws {
        let selector = "selector: {matchLabels: {app: api}}"
        let open = "\(selector), mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: PERMISSIVE}, 8081: {mode: STRICT}}"
        let mesh = build(pods + securityText("PeerAuthentication", "a/api", open))
        #expect(names(mesh, "a/p") == ["a/converted_peer_authentication_api"])
        #expect(names(mesh, "a/q") == [])
        let policy = try #require(mesh.state.policies[mesh.name("a/converted_peer_authentication_api")])
        #expect(policy.rules.first?.clauses.last?.matches.first?.notDestinationPorts == [8080])
        let closed = build(
            pods + securityText("PeerAuthentication", "a/api", "\(selector), portLevelMtls: {8080: {mode: STRICT}}"))
        let other = try #require(closed.state.policies[mesh.name("a/converted_peer_authentication_api")])
        #expect(other.rules.first?.clauses.last?.matches.first?.destinationPorts == [8080])
        let inherited = build(
            pods + strict("a/default")
                + securityText("PeerAuthentication", "a/api", "\(selector), mtls: {mode: PERMISSIVE}"))
        #expect(names(inherited, "a/p") == [])
        #expect(names(inherited, "a/q") == [converted])
    }

    @Test func `one MeshPolicy per namespace, the oldest, and a warning about the others`() throws {
        func policy(_ name: String, _ mode: String, created: String = "") -> String {
            securityText("MeshPolicy", name, "egress: {mode: \(mode)}", created: created).replacing(
                "security.istio.io/v1", with: "meshnode.dev/v1alpha1")
        }
        let mesh = build(
            pods + policy("a/young", "allow", created: "2026-01-02T00:00:00Z")
                + policy("a/old", "deny", created: "2026-01-01T00:00:00Z") + policy("a/file", "allow")
                + policy("b/y", "allow") + policy("b/x", "registry-only"))
        #expect(mesh.state.namespacePolicies == ["a": .init(egress: .deny), "b": .init(egress: .registryOnly)])
        #expect(mesh.problems.compactMap(\.object) == ["MeshPolicy a/young", "MeshPolicy a/file", "MeshPolicy b/y"])
        #expect(mesh.problems.allSatisfy { $0.topic == .overruled })
        #expect(mesh.problems.allSatisfy { $0.severity == .warning && $0.line > 0 })
        let changes = build(pods).state.changes(from: mesh.state)
        #expect(changes == [.namespacePolicyRemoved("a"), .namespacePolicyRemoved("b")])
        #expect(MeshSnapshot(mesh.state.changes(from: MeshState())).egressMode(ofNamespace: "a") == .deny)
    }

    @Test func `only the mesh-wide one in a root namespace, whatever else is there`() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
        let mesh = build(
            pods + podText("istio-system/p", ip: "10.0.0.9")
                + strict("meshnode-system/old", "PERMISSIVE", created: old) + strict("istio-system/new", created: new))
        #expect(names(mesh, "istio-system/p") == [])
    }

    @Test func `rules that keep their number, and what of them needs HTTP`() throws {
        let rules = "rules: [{to: [{operation: {paths: [/x]}}]}, {from: [{source: {namespaces: [a]}}]}]"
        let mesh = build(pods + securityText("AuthorizationPolicy", "a/p", rules))
        let policy = try #require(mesh.state.policies[mesh.name("a/p")])
        #expect(policy.httpParts == [HTTPPart(rule: 0, isDropped: true, fields: ["to[].operation.paths"])])
        #expect(policy.rules.count == 1 && policy.ruleNumber(0) == 1)
    }
}
