import Addressing
import Mesh
import Resources
import TestSupport
import Testing

@testable import Controller

@Suite struct `The builder makes of pods` {
    @Test func `workloads with identity, owner, names and place`() throws {
        let mesh = build(
            namespaceText("shop")
                + "{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z}}}\n---\n"
                + podText(
                    "shop/web-5d8-x", ip: "10.0.0.1", labels: "app: web, version: v2, pod-template-hash: 5d8",
                    spec: "nodeName: n1, serviceAccountName: web",
                    extra: "uid: u1, ownerReferences: [{kind: ReplicaSet, name: web-5d8, controller: true}]",
                    status: "podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]"))
        let workload = try #require(mesh.pod("shop/web-5d8-x"))
        #expect(workload.identity.description == "spiffe://cluster.local/ns/shop/sa/web")
        #expect(workload.owner == WorkloadOwner(kind: .deployment, name: "web"))
        #expect(workload.canonicalName == "web")
        #expect(workload.canonicalRevision == "v2")
        #expect(workload.locality == Locality(region: "r", zone: "z"))
        #expect(workload.addresses == [ip("10.0.0.1"), ip("fd00::1")])
        #expect(workload.isEnrolled && workload.isHealthy)
        #expect(
            mesh.enrolments == [
                "n1": [
                    PodEnrolment(
                        podUID: "u1", workload: workload.uid, namespace: "shop", name: "web-5d8-x",
                        addresses: workload.addresses)
                ]
            ])
        #expect(mesh.problems == [])
    }

    @Test(arguments: [
        ("ReplicaSet", "web-5d8", WorkloadOwner(kind: .deployment, name: "web")),
        ("ReplicaSet", "web", .init(kind: .pod, name: "p")),
        ("Job", "backup-29001440", .init(kind: .cronjob, name: "backup")),
        ("Job", "once", .init(kind: .job, name: "once")),
        ("Job", "-29001440", .init(kind: .job, name: "-29001440")), ("StatefulSet", "db", .init(kind: .pod, name: "p")),
    ])
    func `owners that people know`(kind: String, name: String, owner: WorkloadOwner) throws {
        let extra = "ownerReferences: [{kind: Other, name: x}, {kind: \(kind), name: \(name), controller: true}]"
        let mesh = build(podText("a/p", ip: "10.0.0.1", labels: "pod-template-hash: 5d8", extra: extra))
        #expect(try #require(mesh.pod("a/p")).owner == owner)
        #expect(try #require(mesh.pod("a/p")).canonicalName == owner.name)
    }

    @Test(arguments: [
        ("", "", false), ("meshnode.dev/mesh: enabled", "", true),
        ("meshnode.dev/mesh: enabled", "meshnode.dev/mesh: disabled", false),
        ("", "meshnode.dev/mesh: enabled", true), ("istio.io/dataplane-mode: ambient", "", true),
        ("istio.io/dataplane-mode: ambient", "istio.io/dataplane-mode: none", false),
        ("istio.io/dataplane-mode: ambient", "meshnode.dev/mesh: disabled", false),
        ("meshnode.dev/mesh: disabled", "istio.io/dataplane-mode: ambient", true),
        ("meshnode.dev/mesh: disabled", "", false),
    ])
    func `members of the mesh by label`(namespace: String, pod: String, isEnrolled: Bool) throws {
        let mesh = build(namespaceText("a", namespace) + podText("a/p", ip: "10.0.0.1", labels: pod))
        #expect(try #require(mesh.pod("a/p")).isEnrolled == isEnrolled)
        #expect(mesh.enrolments["n1"]?.count == (isEnrolled ? 1 : nil))
    }

    @Test func `no members that share the node, have a sidecar, or live in an excluded namespace`() throws {
        let own = "meshnode.dev/mesh: enabled"
        let mesh = build(
            namespaceText("a") + namespaceText("kube-system")
                + podText("a/host", ip: "192.0.2.1", labels: own, spec: "hostNetwork: true")
                + podText("a/sidecar", ip: "10.0.0.1", labels: own, extra: "annotations: {sidecar.istio.io/status: x}")
                + podText("kube-system/p", ip: "10.0.0.2", labels: own))
        #expect(mesh.enrolments == [:])
        #expect(try #require(mesh.pod("a/host")).isHostNetwork)
        #expect(mesh.state.workloads.values.allSatisfy { !$0.isEnrolled })
    }

    @Test func `nothing once they have ended, with or without addresses`() {
        let mesh = build(
            namespaceText("a") + podText("a/done", ip: "10.0.0.1", status: "phase: Succeeded")
                + podText("a/failed", ip: "10.0.0.1", status: "phase: Failed")
                + "{apiVersion: v1, kind: Pod, metadata: {name: gone, namespace: a}, spec: {nodeName: n1}, status: {phase: Failed}}\n---\n"
                + "{apiVersion: v1, kind: Pod, metadata: {name: unscheduled, namespace: a}}")
        #expect(mesh.state == MeshState())
        #expect(mesh.enrolments == [:])
        #expect(mesh.problems == [])
    }

    @Test func `members of the mesh before their addresses are known`() throws {
        func pod(_ name: String, _ labels: String = "", spec: String = "nodeName: n1") -> String {
            "{apiVersion: v1, kind: Pod, metadata: {name: \(name), namespace: a, labels: {\(labels)}}, spec: {\(spec)}}\n---\n"
        }
        let mesh = build(
            namespaceText("a") + pod("new") + pod("out", "meshnode.dev/mesh: disabled")
                + pod("host", spec: "nodeName: n1, hostNetwork: true"))
        #expect(mesh.enrolments["n1"]?.map(\.name) == ["new"])
        #expect(mesh.enrolments["n1"]?.first?.addresses == [])
        #expect(try #require(mesh.pod("a/new")).isEnrolled)
        #expect(mesh.state.workloads.count == 1)
    }

    @Test func `exceptions from the waypoint, by annotation`() throws {
        let annotations =
            "annotations: {meshnode.dev/waypoint-exempt-ports: '9090, 9091', meshnode.dev/waypoint-exempt-accounts: 'db, mon/prom'}"
        let mesh = build(podText("a/p", ip: "10.0.0.1", extra: annotations))
        #expect(
            try #require(mesh.pod("a/p")).waypointExceptions
                == WaypointExceptions(
                    ports: [9090, 9091], serviceAccounts: [mesh.name("a/db"), mesh.name("mon/prom")]))
    }

    @Test func `enrolments with exclusions`() throws {
        let annotations = "annotations: {meshnode.dev/exclude-outbound-ports: '25'}"
        let mesh = build(namespaceText("a") + podText("a/p", ip: "10.0.0.1", extra: annotations))
        let enrolment = try #require(mesh.enrolments["n1"]?.first)
        #expect(enrolment.exclusions.outboundPorts == [25])
        #expect(enrolment.podUID == "a/p")
    }

    @Test func `one keeper of an address that two claim: the older, then the first by name`() throws {
        func keeper(_ one: String, _ other: String) throws -> String {
            let text =
                namespaceText("a") + podText("a/x", ip: "10.0.0.1", extra: one)
                + podText("a/y", ip: "10.0.0.1", extra: other)
            let mesh = build(text)
            let problem = try #require(mesh.problems.first)
            #expect(mesh.problems.count == 1)
            #expect(problem.severity == .error)
            #expect(problem.description.contains("Pod a/x") && problem.description.contains("Pod a/y"))
            #expect(mesh.enrolments["n1"]?.count == 1)
            return try #require(mesh.state.workloads.values.first).name
        }
        let (old, new) = ("creationTimestamp: '2026-01-01T00:00:00Z'", "creationTimestamp: '2026-01-02T00:00:00Z'")
        #expect(try keeper(old, new) == "x")
        #expect(try keeper(new, old) == "y")
        #expect(try keeper("annotations: {}", "annotations: {}") == "x")
        #expect(try keeper("annotations: {}", new) == "y")
    }

    @Test func `successors that take the address of a pod that is being deleted, without a word`() throws {
        let deleted = "creationTimestamp: '2026-01-01T00:00:00Z', deletionTimestamp: '2026-01-02T00:00:00Z'"
        let mesh = build(
            namespaceText("a")
                + podText("a/old", ip: "10.0.0.1", extra: deleted, status: "podIPs: [{ip: 10.0.0.1}, {ip: 10.0.0.9}]")
                + podText("a/new", ip: "10.0.0.1"))
        #expect(mesh.problems == [])
        #expect(try #require(mesh.pod("a/new")).addresses == [ip("10.0.0.1")])
        #expect(try #require(mesh.pod("a/old")).addresses == [ip("10.0.0.9")])
        #expect(try #require(mesh.pod("a/old")).isHealthy == false)
    }

    @Test func `a warning when their namespace is not there or its label says nothing`() {
        let missing = build(podText("a/p", ip: "10.0.0.1") + podText("a/q", ip: "10.0.0.2"))
        #expect(missing.problems.map(\.field) == ["metadata.namespace"])
        let misspelt = build(namespaceText("a", "meshnode.dev/mesh: enable") + podText("a/p", ip: "10.0.0.1"))
        #expect(misspelt.problems.map(\.field) == ["metadata.labels.meshnode.dev/mesh"])
        #expect(misspelt.problems.map(\.line) == [1])
        #expect((missing.problems + misspelt.problems).map(\.topic) == [.notEnrolled, .notEnrolled])
    }
}
