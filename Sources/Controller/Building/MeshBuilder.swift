import Mesh
package import Resources

/// What a set of objects means for the mesh.
package struct BuiltMesh: Hashable, Sendable {
    package var state: MeshState
    /// The pods to be captured, by node, in the order of their names. Pods on no node are under the empty name.
    package var enrolments: [String: [PodEnrolment]]
    /// Contradictions between objects, in the order people read them.
    package var problems: [ManifestProblem]

    package init(
        state: MeshState = MeshState(), enrolments: [String: [PodEnrolment]] = [:], problems: [ManifestProblem] = []
    ) {
        self.state = state
        self.enrolments = enrolments
        self.problems = problems
    }
}

/// Turns objects into the state of the mesh they ask for: a pure function, the same for the same objects.
package struct MeshBuilder: Sendable {
    let parameters: MeshParameters

    package init(_ parameters: MeshParameters) { self.parameters = parameters }

    package func build(_ manifests: ManifestSet) -> BuiltMesh {
        var problems: [ManifestProblem] = []
        let context = BuildContext(manifests)
        var pods = makePods(context, manifests: manifests, problems: &problems)
        let services = context.services.filter { !$0.isExternalName }
        let others = addEndpoints(of: services, slices: context.slices, to: &pods)
        let policies = addPolicies(context, to: &pods)

        var state = MeshState()
        for workload in pods.map(\.workload) + others { state.workloads[workload.uid] = workload }
        for service in services.map(makeService) { state.services[service.name] = service }
        for policy in policies { state.policies[policy.name] = policy }
        let enrolled = pods.filter(\.workload.isEnrolled)
        let enrolments = Dictionary(grouping: enrolled, by: \.workload.node).mapValues { $0.map(\.enrolment) }
        return BuiltMesh(state: state, enrolments: enrolments, problems: problems.sorted())
    }
}

/// The objects by kind, in the order of their names.
struct BuildContext {
    let namespaces: [String: NamespaceManifest]
    let nodes: [String: NodeManifest]
    let pods: [PodManifest]
    let services: [ServiceManifest]
    let slices: [EndpointSliceManifest]
    let policies: [AuthorizationPolicyManifest]
    let peerAuthentications: [PeerAuthenticationManifest]

    init(_ set: ManifestSet) {
        let spaces = set.all { if case .namespace(let manifest) = $0 { manifest } else { nil } }
        namespaces = Dictionary(spaces.map { ($0.metadata.name, $0) }) { first, _ in first }
        let nodeList = set.all { if case .node(let manifest) = $0 { manifest } else { nil } }
        nodes = Dictionary(nodeList.map { ($0.metadata.name, $0) }) { first, _ in first }
        pods = set.all { if case .pod(let manifest) = $0 { manifest } else { nil } }
        services = set.all { if case .service(let manifest) = $0 { manifest } else { nil } }
        slices = set.all { if case .endpointSlice(let manifest) = $0 { manifest } else { nil } }
        policies = set.all { if case .authorizationPolicy(let manifest) = $0 { manifest } else { nil } }
        peerAuthentications = set.all { if case .peerAuthentication(let manifest) = $0 { manifest } else { nil } }
    }
}

/// A pod of the mesh state on its way: the manifest and the workload it becomes.
struct BuiltPod {
    let manifest: PodManifest
    var workload: Workload

    var enrolment: PodEnrolment {
        let metadata = manifest.metadata
        return PodEnrolment(
            podUID: metadata.uid.isEmpty ? "\(metadata.namespace)/\(metadata.name)" : metadata.uid,
            workload: workload.uid, namespace: metadata.namespace, name: metadata.name, addresses: workload.addresses,
            exclusions: manifest.exclusions,
            networkNamespace: metadata.annotations["meshnode.dev/network-namespace"] ?? "")
    }
}
