import Addressing
import Mesh
import TestSupport
import Testing

@testable import Controller

@Suite struct `A pod that comes up` {
    private func decide(_ mesh: BuiltMesh, _ pod: String, uid: String = "") -> PodDecision {
        let name = mesh.name(pod)
        return mesh.decision(namespace: name.namespace, name: name.name, uid: uid)
    }

    private func enrolment(_ mesh: BuiltMesh, _ pod: String, uid: String = "") -> PodEnrolment? {
        if case .capture(let enrolment) = decide(mesh, pod, uid: uid) { enrolment } else { nil }
    }

    private func reason(_ mesh: BuiltMesh, _ pod: String) -> String? {
        if case .leave(let reason) = decide(mesh, pod) { reason } else { nil }
    }

    @Test func `is captured by its labels, its addresses known or not`() throws {
        let mesh = build(
            namespaceText("a") + podText("a/p", ip: "10.0.0.1", extra: "uid: u1")
                + "{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: a, annotations: {meshnode.dev/exclude-inbound-ports: '9'}}}\n---\n"
                + namespaceText("b", "") + podText("b/own", ip: "10.0.0.2", labels: "meshnode.dev/mesh: enabled"))
        let known = try #require(enrolment(mesh, "a/p", uid: "u1"))
        #expect(known == mesh.enrolments["n1"]?.first)
        #expect(enrolment(mesh, "a/p") == known)
        let new = try #require(enrolment(mesh, "a/new", uid: "u2"))
        #expect(new.addresses == [] && new.exclusions.inboundPorts == [9])
        #expect(enrolment(mesh, "b/own")?.addresses == [ip("10.0.0.2")])
    }

    @Test func `that nobody knows is captured where its namespace is in the mesh`() throws {
        let mesh = build(
            namespaceText("a") + namespaceText("b", "")
                + securityText("PeerAuthentication", "a/x", "mtls: {mode: STRICT}"))
        let stranger = try #require(enrolment(mesh, "a/x", uid: "u9"))
        #expect(
            stranger
                == PodEnrolment(
                    podUID: "u9", workload: WorkloadUID(cluster: "Kubernetes", podNamespace: "a", podName: "x"),
                    namespace: "a", name: "x", addresses: [], isStrict: true))
        #expect(enrolment(mesh, "a/x")?.podUID == "a/x")
        #expect(reason(mesh, "b/x") == "namespace b is not in the mesh")
        #expect(decide(mesh, "c/x") == .unknown(reason: "neither pod c/x nor its namespace is known"))
    }

    @Test func `is left where it or its namespace stays out, and is told why`() {
        let host = "hostNetwork: true, nodeName: n1"
        let mesh = build(
            namespaceText("a") + namespaceText("out", "meshnode.dev/mesh: disabled") + namespaceText("kube-system")
                + podText("a/off", ip: "10.0.0.1", labels: "meshnode.dev/mesh: disabled")
                + podText("a/host", ip: "10.0.0.2", spec: host)
                + podText("a/side", ip: "10.0.0.3", extra: "annotations: {sidecar.istio.io/status: x}")
                + podText("out/p", ip: "10.0.0.4") + podText("lost/p", ip: "10.0.0.5"))
        #expect(reason(mesh, "a/off") == "pod a/off is labelled to stay out")
        #expect(reason(mesh, "a/host") == "pod a/host shares its node's network")
        #expect(reason(mesh, "a/side") == "pod a/side has a sidecar of its own")
        #expect(reason(mesh, "out/p") == "namespace out is labelled to stay out")
        #expect(reason(mesh, "out/unknown") == "namespace out is labelled to stay out")
        #expect(reason(mesh, "lost/p") == "there is no namespace lost")
        #expect(reason(mesh, "kube-system/any") == "namespace kube-system is excluded from the mesh")
    }

    @Test func `of another uid is another pod`() {
        let mesh = build(namespaceText("a") + podText("a/p", ip: "10.0.0.1", extra: "uid: u1"))
        #expect(
            decide(mesh, "a/p", uid: "u2")
                == .unknown(reason: "the pod a/p that is known has uid u1, not u2"))
    }

    @Test func `under the name of one that has ended is a new one`() {
        let mesh = build(
            namespaceText("a") + podText("a/p", ip: "10.0.0.1", extra: "uid: u1", status: "phase: Succeeded"))
        #expect(enrolment(mesh, "a/p", uid: "u2")?.addresses == [])
        #expect(mesh.enrolments == [:])
    }

    @Test func `knows whether it refuses plaintext`() {
        let selector = "selector: {matchLabels: {app: x}}"
        let mesh = build(
            namespaceText("a") + podText("a/x", ip: "10.0.0.1", labels: "app: x") + podText("a/y", ip: "10.0.0.2")
                + securityText("PeerAuthentication", "a/all", "mtls: {mode: STRICT}")
                + securityText("PeerAuthentication", "a/x", "\(selector), portLevelMtls: {80: {mode: PERMISSIVE}}"))
        #expect(enrolment(mesh, "a/x")?.isStrict == false)
        #expect(enrolment(mesh, "a/y")?.isStrict == true)
        #expect(mesh.enrolments["n1"]?.map(\.isStrict) == [false, true])
    }
}
