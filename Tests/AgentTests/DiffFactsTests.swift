import Keeper
import Mesh
import TestSupport
import Testing

@testable import Agent
@testable import Identity

@Suite struct `What differs` {
    private let facts = DiffFacts(
        node: "node-a", snapshot: MeshSnapshot([.workloadUpserted(Samples.workload("a", "10.0.0.1"))]),
        pods: [Samples.uid("a"): PodReport(uid: Samples.uid("a"), state: .captured)],
        certificates: [
            .init(
                identity: Samples.web, state: .valid, notBefore: 0, notAfter: 9, serial: "1", nextRequest: nil,
                lastError: nil)
        ], wantedVersion: 4, enforcedVersion: 4)

    private func differences(_ change: (inout DiffFacts) -> Void) -> [String] {
        var facts = facts
        change(&facts)
        return facts.items.filter { !$0.isSame }.map {
            "\($0.subject.rawValue) \($0.object): \($0.wanted) / \($0.enforced)"
        }
    }

    @Test func `is nothing when all is enforced`() {
        #expect(differences { _ in } == [])
        #expect(facts.items.count == 3)
    }

    @Test func `is a pod that is not captured, or no longer wanted`() {
        #expect(differences { $0.pods = [:] } == ["pod shop/a: captured / ?"])
        #expect(
            differences { $0.pods[Samples.uid("a")]?.state = .failed } == ["pod shop/a: captured / failed"])
        #expect(
            differences { $0.pods[Samples.uid("b")] = PodReport(uid: Samples.uid("b"), state: .captured) }
                == ["pod Kubernetes//Pod/shop/b: not captured / captured"])
    }

    @Test func `is configuration that has not come or is not known`() {
        #expect(differences { $0.enforcedVersion = 3 } == ["configuration node-a: 4 / 3"])
        #expect(differences { $0.isConnectedToController = false } == ["configuration node-a: ? / 4"])
        #expect(
            differences {
                $0.wantedVersion = nil; $0.enforcedVersion = nil
            } == ["configuration node-a: ? / ?"])
    }

    @Test func `is a certificate that is missing`() {
        #expect(differences { $0.certificates = [] } == ["certificate cluster.local/ns/shop/sa/web: held / missing"])
    }

    @Test func `is a policy that is stricter than written, or missing`() {
        let custom = Samples.policy("ask", .custom)
        #expect(
            differences { $0.snapshot.apply(.policyUpserted(custom)) } == ["policy shop/ask: as written / stricter"])
        #expect(
            differences { facts in
                var workload = Samples.workload("a", "10.0.0.1")
                workload.policies = [custom.name]
                facts.snapshot.apply(.workloadUpserted(workload))
            } == ["policy shop/ask: enforced at shop/a / missing"])
    }

    @Test func `is a manifest with an error, and a node that is behind`() {
        #expect(
            differences {
                $0.manifests = [.init(file: "a.yaml", line: 3, object: "Pod shop/x", reason: "no", severity: .error)]
            } == ["manifest Pod shop/x (a.yaml:3): as written / its last good state"])
        var behind = MeshStatusReport.Node(name: "node-b", state: .ready)
        behind.configurationVersion = 2
        #expect(differences { $0.nodes = [behind] } == ["node node-b: 4 / 2"])
    }
}
