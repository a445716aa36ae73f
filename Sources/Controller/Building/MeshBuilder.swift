import Mesh
package import Resources

/// What a set of objects means for the mesh.
package struct BuiltMesh: Hashable, Sendable {
    package var state: MeshState
    /// The pods to be captured, by node, in the order of their names. Pods on no node are under the empty name.
    package var enrolments: [String: [PodEnrolment]]
    /// Contradictions between objects, in the order people read them.
    package var problems: [ManifestProblem]
    var decisions = PodDecisions()

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

    /// Makes the mesh out of all manifests. A contradiction between objects, such as two pods with one address, becomes a
    /// problem of the result, and the older object wins.
    package func build(_ manifests: ManifestSet) -> BuiltMesh {
        var problems: [ManifestProblem] = []
        let context = BuildContext(manifests)
        var pods = makePods(context, manifests: manifests, problems: &problems)
        let services = context.services.filter { !$0.isExternalName }
        let others = addEndpoints(of: services, slices: context.slices, to: &pods)
        let authentication = PeerAuthenticationIndex(context.peerAuthentications, roots: parameters.rootNamespaces)
        let policies = addPolicies(context, authentication, to: &pods)

        var state = MeshState()
        for workload in pods.map(\.workload) + others { state.workloads[workload.uid] = workload }
        for service in services.map(makeService) { state.services[service.name] = service }
        for policy in policies { state.policies[policy.name] = policy }
        state.namespacePolicies = namespacePolicies(context, manifests: manifests, problems: &problems)
        let enrolled = pods.filter(\.workload.isEnrolled)
        let enrolments = Dictionary(grouping: enrolled, by: \.workload.node).mapValues { pods in
            pods.map { $0.enrolment(isStrict: authentication.isStrict(for: $0.manifest.metadata)) }
        }
        var mesh = BuiltMesh(state: state, enrolments: enrolments, problems: problems.sorted())
        mesh.decisions = decisions(context, authentication, built: pods)
        return mesh
    }
}

/// The objects by kind, each kind in the order of namespace and name.
struct BuildContext {
    private(set) var namespaces: [String: NamespaceManifest] = [:]
    private(set) var nodes: [String: NodeManifest] = [:]
    private(set) var pods: [PodManifest] = []
    private(set) var services: [ServiceManifest] = []
    private(set) var slices: [EndpointSliceManifest] = []
    private(set) var policies: [AuthorizationPolicyManifest] = []
    private(set) var peerAuthentications: [PeerAuthenticationManifest] = []
    private(set) var meshPolicies: [MeshPolicyManifest] = []

    init(_ set: ManifestSet) {
        let keys = set.manifests.keys.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        for key in keys {
            switch set.manifests[key]?.object {
            case .namespace(let manifest): namespaces[key.name] = manifest
            case .node(let manifest): nodes[key.name] = manifest
            case .pod(let manifest): pods.append(manifest)
            case .service(let manifest): services.append(manifest)
            case .endpointSlice(let manifest): slices.append(manifest)
            case .authorizationPolicy(let manifest): policies.append(manifest)
            case .peerAuthentication(let manifest): peerAuthentications.append(manifest)
            case .meshPolicy(let manifest): meshPolicies.append(manifest)
            case .serviceAccount, nil: break
            }
        }
    }
}

/// A pod of the mesh state on its way: the manifest and the workload it becomes.
struct BuiltPod {
    let manifest: PodManifest
    var workload: Workload

    func enrolment(isStrict: Bool) -> PodEnrolment {
        let metadata = manifest.metadata
        return PodEnrolment(
            podUID: metadata.uid.isEmpty ? "\(metadata.namespace)/\(metadata.name)" : metadata.uid,
            workload: workload.uid, namespace: metadata.namespace, name: metadata.name, addresses: workload.addresses,
            exclusions: manifest.exclusions, isStrict: isStrict)
    }
}
