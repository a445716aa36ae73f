import Mesh
import Resources
import Testing

@testable import Controller

@Suite struct `An assembly` {
    /// SplitMix64, so that a failure can be repeated from its seed.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            defer { state &+= 0x9e37_79b9_7f4a_7c15 }
            return StableHash.mixed(state)
        }
    }

    /// One random edit of the files: mostly of pods, which are the ones that are patched.
    private func edit(_ catalogue: inout DirectoryCatalogue, _ random: inout Generator) {
        func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
        func pick(_ texts: String...) -> String { texts[number(texts.count)] }
        let space = pick("a", "b", "istio-system")
        let name = "o\(number(6))"
        let kind = pick("pod", "pod", "pod", "pod", "pod", "pod", "ns", "svc", "ap", "pa", "mp", "slice")
        let path = "\(kind)-\(space)-\(name)"
        guard number(5) > 0 else { return catalogue.fileGone(path) }
        let text =
            switch kind {
            case "ns": namespaceText(space, pick("meshnode.dev/mesh: enabled", "", "meshnode.dev/mesh: wrong"))
            case "svc":
                serviceText(
                    "\(space)/\(name)", "clusterIP: 10.96.0.\(number(3)), selector: {app: x}, ports: [{port: 80}]")
            case "ap":
                securityText(
                    "AuthorizationPolicy", "\(space)/\(name)", pick("action: DENY", "selector: {matchLabels: {app: x}}")
                )
            case "pa":
                securityText(
                    "PeerAuthentication", "\(space)/\(name)",
                    "\(pick("", "selector: {matchLabels: {app: x}}, portLevelMtls: {80: {mode: STRICT}}, "))mtls: {mode: \(pick("STRICT", "UNSET"))}"
                )
            case "mp":
                securityText("MeshPolicy", "\(space)/\(name)", "egress: {mode: deny}").replacing(
                    "security.istio.io/v1", with: "meshnode.dev/v1alpha1")
            case "slice":
                number(4) > 0
                    ? ""
                    : "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: \(name), namespace: \(space), labels: {kubernetes.io/service-name: o1}}, addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: [10.0.0.\(number(40))]}]}"
            default:
                podText(
                    "\(space)/\(name)", ip: "10.0.\(number(2)).\(number(30))",
                    labels: pick(
                        "app: x", "app: y", "meshnode.dev/mesh: enabled", "meshnode.dev/mesh: disabled",
                        "meshnode.dev/mesh: x"),
                    spec: pick("nodeName: n1", "nodeName: n2", "nodeName: n1, hostNetwork: true"),
                    extra: pick("", "uid: u\(number(3))", "deletionTimestamp: '2026-01-02T00:00:00Z'"),
                    status: pick("", "", "phase: Succeeded", "phase: Pending")
                ).replacing(pick("podIP", "nothing"), with: pick("podIP", "hostIP"))
            }
        catalogue.fileRead(path, ManifestFile(bytes: Array(text.utf8), file: path))
    }

    @Test(arguments: 1...12) func `is always what a build of the same objects makes`(seed: Int) {
        var random = Generator(state: UInt64(seed))
        var catalogue = DirectoryCatalogue()
        var assembly = MeshAssembly(parameters)
        var applied = MeshState()
        for space in ["a", "b", "istio-system"] {
            catalogue.fileRead(space, ManifestFile(bytes: Array(namespaceText(space).utf8), file: space))
        }
        for step in 0..<150 {
            for _ in 0...Int.random(in: 0..<3, using: &random) { edit(&catalogue, &random) }
            catalogue.settle()
            let before = applied
            let changes = assembly.update(catalogue.manifests, changed: catalogue.takeChanges())
            let expected = MeshBuilder(parameters).build(catalogue.manifests)
            for change in changes { applied.apply(change) }
            guard assembly.mesh == expected, applied == expected.state, changes == expected.state.changes(from: before)
            else {
                let same = (
                    assembly.mesh.state == expected.state, assembly.mesh.enrolments == expected.enrolments,
                    assembly.mesh.problems == expected.problems, assembly.mesh.decisions == expected.decisions,
                    applied == expected.state, changes == expected.state.changes(from: before)
                )
                Issue.record("seed \(seed), step \(step): \(same)")
                return
            }
        }
    }

    @Test func `of a changed pod says that pod only`() {
        var catalogue = catalogue([
            "ns": namespaceText("a"), "p": podText("a/p", ip: "10.0.0.1"), "q": podText("a/q", ip: "10.0.0.2"),
        ])
        var assembly = MeshAssembly(parameters)
        #expect(assembly.update(catalogue.manifests, changed: nil).count == 2)
        let unready = podText("a/p", ip: "10.0.0.1", status: "phase: Pending")
        catalogue.fileRead("p", ManifestFile(bytes: Array(unready.utf8), file: "p"))
        catalogue.settle()
        let changed = catalogue.takeChanges()
        let changes = assembly.update(catalogue.manifests, changed: changed)
        #expect(changes.count == 1)
        #expect(assembly.mesh.pod("a/p")?.isHealthy == false)
        #expect(assembly.update(catalogue.manifests, changed: []) == [])
    }
}
