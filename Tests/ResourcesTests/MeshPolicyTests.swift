import Mesh
import Resources
import Testing

@Suite struct `A MeshPolicy manifest` {
    private func read(_ spec: String, version: String = "v1alpha1") -> ManifestFile {
        ResourcesTests.read(
            "apiVersion: meshnode.dev/\(version)\nkind: MeshPolicy\nmetadata: {name: p, namespace: shop}\nspec: \(spec)\n"
        )
    }

    private func policy(_ spec: String) -> NamespacePolicy? {
        if case .meshPolicy(let manifest) = read(spec).entries.first?.object { manifest.policy } else { nil }
    }

    @Test func `says what may leave the mesh, and how much a pod carries`() {
        let spec =
            "{egress: {mode: registry-only}, limits: {connectionsPerWorkload: 100, newConnectionsPerSecond: '20', streamsPerPeer: 3}}"
        #expect(read(spec).problems == [])
        #expect(
            policy(spec)
                == NamespacePolicy(
                    egress: .registryOnly,
                    limits: ConnectionLimits(
                        connectionsPerWorkload: 100, newConnectionsPerSecond: 20, streamsPerPeer: 3)))
        #expect(policy("{egress: {mode: deny}}") == NamespacePolicy(egress: .deny))
        #expect(policy("{egress: {mode: allow}}") == NamespacePolicy())
        #expect(policy("{}") == NamespacePolicy())
        #expect(policy("{limits: {streamsPerPeer: 1}}")?.limits == ConnectionLimits(streamsPerPeer: 1))
    }

    @Test(arguments: [
        ("{egress: {mode: Deny}}", "error 4 spec.egress.mode"), ("{egress: deny}", "error 4 spec.egress"),
        ("{limits: {streamsPerPeer: 0}}", "error 4 spec.limits.streamsPerPeer"),
        ("{limits: {streamsPerPeer: -1}}", "error 4 spec.limits.streamsPerPeer"),
        ("{limits: {connectionsPerWorkload: many}}", "error 4 spec.limits.connectionsPerWorkload"),
        ("{limits: {newConnectionsPerSecond: 1000000001}}", "error 4 spec.limits.newConnectionsPerSecond"),
        ("[]", "error 4 spec"),
    ])
    func `that cannot be read is refused, with line and field`(spec: String, place: String) {
        let file = read(spec)
        #expect(file.entries.map(\.object) == [nil])
        #expect(places(file) == [place])
    }

    @Test(arguments: [
        ("{egres: {mode: deny}}", "warning 4 spec.egres"), ("{egress: {mod: deny}}", "warning 4 spec.egress.mod"),
        ("{limits: {streams: 1}}", "warning 4 spec.limits.streams"),
    ])
    func `warns of what it does not know`(spec: String, place: String) {
        #expect(places(read(spec)) == [place])
        #expect(policy(spec) == NamespacePolicy())
    }

    @Test func `has one version`() {
        #expect(places(read("{}", version: "v1")) == ["warning 1 apiVersion"])
        #expect(
            ResourcesTests.read("{apiVersion: security.istio.io/v1, kind: MeshPolicy, metadata: {name: p}}").entries
                == [])
    }
}
