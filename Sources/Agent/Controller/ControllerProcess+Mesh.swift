internal import CertificateAuthority
internal import Controller
internal import Mesh
internal import Resources
internal import XDS

/// Namespaces whose pods are never enrolled: those that everything else needs to start, the mesh among them.
enum NeverEnrolled {
    static let namespaces = ["kube-system", "kube-public", "kube-node-lease", "meshnode-system", "istio-system"]
}

/// Which identities have a pod on which node: only those are signed for it. Looked up when it is asked for, since the
/// mesh changes far more often.
struct IdentitiesByNode {
    private let lookUp: (_ node: String) -> Set<SPIFFEID>

    init(_ identities: [String: Set<SPIFFEID>] = [:]) {
        lookUp = { identities[$0] ?? [] }
    }

    init(_ mesh: BuiltMesh) {
        lookUp = { Set((mesh.enrolments[$0] ?? []).compactMap { mesh.state.workloads[$0.workload]?.identity }) }
    }

    /// What the signer asks of a caller on `node`.
    func policy(of node: String) -> SigningPolicy {
        SigningPolicy(identitiesOnNode: node.isEmpty ? [] : lookUp(node))
    }
}

extension EnrolledPod {
    init(_ pod: Controller.PodEnrolment) {
        self.init(
            uid: pod.workload, namespace: pod.namespace, name: pod.name, podUID: pod.kubernetesUID,
            addresses: pod.addresses, excludedInboundPorts: pod.exclusions.inboundPorts,
            excludedOutboundPrefixes: pod.exclusions.outboundPrefixes,
            excludedOutboundPorts: pod.exclusions.outboundPorts, isStrict: pod.isStrict, bypassesInbound: false)
    }
}

extension Controller.PodEnrolment {
    /// Empty where the manifest has none, and the enrolment goes by the pod's name.
    fileprivate var kubernetesUID: String {
        podUID.contains("/") ? "" : podUID
    }
}
