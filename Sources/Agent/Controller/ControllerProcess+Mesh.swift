internal import CertificateAuthority
internal import Controller
internal import Mesh
internal import Resources
internal import XDS

/// Namespaces whose pods are never enrolled: those that everything else needs to start, the mesh among them.
enum NeverEnrolled {
    static let namespaces = ["kube-system", "kube-public", "kube-node-lease", "meshnode-system", "istio-system"]
}

/// Which identities have a pod on which node: only those are signed for it.
struct IdentitiesByNode {
    private var identities: [String: Set<SPIFFEID>]

    init(_ identities: [String: Set<SPIFFEID>] = [:]) {
        self.identities = identities
    }

    init(_ mesh: BuiltMesh) {
        identities = [:]
        for (node, pods) in mesh.enrolments where !node.isEmpty {
            identities[node] = Set(pods.compactMap { mesh.state.workloads[$0.workload]?.identity })
        }
    }

    /// What the signer asks of a caller on `node`.
    func policy(of node: String) -> SigningPolicy {
        SigningPolicy(identitiesOnNode: identities[node] ?? [])
    }
}

extension BuiltMesh {
    /// The pods of `node` that are to be captured, as its keeper is told of them.
    func enrolledPods(of node: String) -> [EnrolledPod] {
        (enrolments[node] ?? []).map { EnrolledPod($0, isStrict: state.refusesPlaintext($0.workload)) }
    }
}

extension EnrolledPod {
    init(_ pod: Controller.PodEnrolment, isStrict: Bool) {
        self.init(
            uid: pod.workload, namespace: pod.namespace, name: pod.name, podUID: pod.kubernetesUID,
            addresses: pod.addresses,
            excludedInboundPorts: pod.exclusions.inboundPorts,
            excludedOutboundPrefixes: pod.exclusions.outboundPrefixes,
            excludedOutboundPorts: pod.exclusions.outboundPorts, isStrict: isStrict, bypassesInbound: false)
    }
}

extension Controller.PodEnrolment {
    /// Empty where the manifest has none, and the enrolment goes by the pod's name.
    fileprivate var kubernetesUID: String { podUID.contains("/") ? "" : podUID }
}

extension MeshState {
    /// STRICT holds for the whole workload, without exceptions by port.
    func refusesPlaintext(_ uid: WorkloadUID) -> Bool {
        workloads[uid]?.policies.contains { name in
            guard let policy = policies[name], policy.origin == .peerAuthentication else { return false }
            return policy.rules.contains { rule in rule.clauses.allSatisfy { $0.kind == .from } }
        } ?? false
    }
}
