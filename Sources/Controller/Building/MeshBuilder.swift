import Addressing
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
    package func build(_ manifests: ManifestSet) -> BuiltMesh { parts(manifests).mesh }

    func parts(_ manifests: ManifestSet) -> BuildParts {
        var problems: [ManifestProblem] = []
        let context = BuildContext(manifests)
        var pods = makePods(context, manifests: manifests, problems: &problems)
        let services = context.services.filter { !$0.isExternalName }
        let others = addEndpoints(of: services, slices: context.slices, to: &pods)
        let policies = PolicyAssignment(context, parameters)
        let converted = policies.assign(to: &pods)

        var state = MeshState()
        for workload in pods.map(\.workload) + others { state.workloads[workload.uid] = workload }
        for service in services.map(makeService) { state.services[service.name] = service }
        for policy in policies.all + converted { state.policies[policy.name] = policy }
        state.namespacePolicies = namespacePolicies(context, manifests: manifests, problems: &problems)
        let authentication = policies.authentication
        let enrolled = pods.filter(\.workload.isEnrolled)
        let enrolments = Dictionary(grouping: enrolled, by: \.workload.node).mapValues { pods in
            pods.map { $0.enrolment(isStrict: authentication.isStrict(for: $0.manifest.metadata)) }
        }
        var mesh = BuiltMesh(state: state, enrolments: enrolments, problems: problems.sorted())
        mesh.decisions = decisions(context, authentication)
        return BuildParts(context: context, pods: pods, policies: policies, mesh: mesh)
    }

    /// One pod by itself; nil if it is not in the mesh's state. Only where no EndpointSlice speaks of it.
    func pod(_ manifest: PodManifest, _ parts: BuildParts) -> BuiltPod? {
        guard isInState(manifest, parts.context) else { return nil }
        var pods = [makePod(manifest, addresses: manifest.addresses, parts.context)]
        let services = parts.selectingServices[manifest.metadata.namespace] ?? []
        _ = addEndpoints(of: services, slices: [], to: &pods)
        _ = parts.policies.assign(to: &pods)
        return pods.first
    }
}

/// What a build made, and of what.
struct BuildParts: Sendable {
    let context: BuildContext
    var pods: [BuiltPod]
    let policies: PolicyAssignment
    let mesh: BuiltMesh
    /// The services that choose their pods by label, by namespace.
    let selectingServices: [String: [ServiceManifest]]

    init(context: BuildContext, pods: [BuiltPod], policies: PolicyAssignment, mesh: BuiltMesh) {
        self.context = context
        self.pods = pods
        self.policies = policies
        self.mesh = mesh
        let selecting = context.services.filter { !$0.isExternalName && !$0.selector.isEmpty }
        selectingServices = Dictionary(grouping: selecting, by: \.metadata.namespace)
    }

    var authentication: PeerAuthenticationIndex { policies.authentication }
}

/// The objects by kind, each kind in the order of namespace and name.
struct BuildContext: Sendable {
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
struct BuiltPod: Sendable {
    let manifest: PodManifest
    var workload: Workload

    func enrolment(isStrict: Bool) -> PodEnrolment {
        PodEnrolment(of: manifest, workload: workload.uid, addresses: workload.addresses, isStrict: isStrict)
    }
}

extension PodEnrolment {
    init(of pod: PodManifest, workload: WorkloadUID, addresses: [IPAddress], isStrict: Bool) {
        let metadata = pod.metadata
        self.init(
            podUID: metadata.uid.isEmpty ? "\(metadata.namespace)/\(metadata.name)" : metadata.uid, workload: workload,
            namespace: metadata.namespace, name: metadata.name, addresses: addresses, exclusions: pod.exclusions,
            isStrict: isStrict)
    }
}
