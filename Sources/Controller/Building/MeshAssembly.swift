import Addressing
package import Mesh
package import Resources

/// The mesh as it was assembled last, kept so that the change of a pod costs the pod and not the mesh.
///
/// Changes of pods are taken in one by one; where they could touch others (an address that two claim, EndpointSlices,
/// labels and namespaces that are reported) and after all other changes everything is built anew. Either way the
/// result is what `MeshBuilder.build` makes of the same objects.
package struct MeshAssembly: Sendable {
    private let builder: MeshBuilder
    package private(set) var mesh = BuiltMesh()
    private var parts: BuildParts?
    /// Every pod, ended ones included.
    private var pods: [NamespacedName: PodManifest] = [:]
    /// How many pods claim an address.
    private var claims: [IPAddress: Int] = [:]
    /// How many pods a policy that was made from a PeerAuthentication is about.
    private var convertedUses: [NamespacedName: Int] = [:]

    package init(_ parameters: MeshParameters) { builder = MeshBuilder(parameters) }

    /// The objects are now `manifests`.
    ///
    /// - Parameter changed: the keys of those that differ from the last time; nil if that is not known.
    /// - Returns: the steps from the state before.
    package mutating func update(_ manifests: ManifestSet, changed: Set<ManifestKey>?) -> [MeshChange] {
        if let changed, let changes = patch(manifests, changed) { return changes }
        let old = mesh.state
        rebuild(manifests)
        return mesh.state.changes(from: old)
    }

    private mutating func rebuild(_ manifests: ManifestSet) {
        let parts = builder.parts(manifests)
        mesh = parts.mesh
        pods = Dictionary(parts.context.pods.map { ($0.metadata.id, $0) }) { first, _ in first }
        claims = [:]
        for pod in parts.context.pods { for address in pod.claimedAddresses { claims[address, default: 0] += 1 } }
        convertedUses = [:]
        for pod in parts.pods {
            for name in converted(pod.workload) { convertedUses[name, default: 0] += 1 }
        }
        self.parts = parts
        self.parts?.pods = []
    }

    // MARK: One pod after the other

    /// Nil if everything has to be built anew; the mesh is as it was then.
    private mutating func patch(_ manifests: ManifestSet, _ changed: Set<ManifestKey>) -> [MeshChange]? {
        guard !changed.isEmpty else { return [] }
        guard let parts, parts.context.slices.isEmpty, changed.allSatisfy({ $0.kind == .pod }) else { return nil }
        let keys = changed.sorted()
        // Everything that may fail comes first: from here on the mesh changes.
        guard keys.allSatisfy({ isUnreported($0, manifests, parts) }), moveClaims(keys, manifests) else { return nil }
        var steps = PatchSteps()
        for key in keys {
            let id = key.namespacedName
            let new = manifests.pod(key)
            pods[id] = new
            mesh.decisions.pods[id] = new.flatMap {
                $0.isFinished ? nil : builder.decision(of: $0, parts.context, parts.authentication)
            }
            replace(id, with: new.flatMap { builder.pod($0, parts) }, parts, &steps)
        }
        return steps.changes(in: mesh.state)
    }

    private func isUnreported(_ key: ManifestKey, _ manifests: ManifestSet, _ parts: BuildParts) -> Bool {
        [pods[key.namespacedName], manifests.pod(key)].allSatisfy { pod in
            pod.map { builder.isUnreported($0, parts.context) } ?? true
        }
    }

    /// Moves the claims of addresses; false if one of them is, or was, contested.
    private mutating func moveClaims(_ keys: [ManifestKey], _ manifests: ManifestSet) -> Bool {
        var touched: Set<IPAddress> = []
        for key in keys {
            for address in pods[key.namespacedName]?.claimedAddresses ?? [] {
                guard let count = claims[address], count == 1 else { return false }
                claims[address] = nil
            }
        }
        for key in keys {
            for address in manifests.pod(key)?.claimedAddresses ?? [] {
                claims[address, default: 0] += 1
                touched.insert(address)
            }
        }
        return touched.allSatisfy { claims[$0] == 1 }
    }

    private mutating func replace(
        _ id: NamespacedName, with pod: BuiltPod?, _ parts: BuildParts, _ steps: inout PatchSteps
    ) {
        let uid = WorkloadUID(
            cluster: builder.parameters.cluster, podNamespace: id.namespace, podName: id.name)
        let old = mesh.state.workloads[uid]
        if old != pod?.workload {
            for name in old.map(converted) ?? [] { use(name, -1, nil, &steps) }
            mesh.state.workloads[uid] = pod?.workload
            if let pod {
                let policy = parts.policies.converted(for: pod.manifest.metadata)
                if let policy { use(policy.name, 1, policy, &steps) }
                steps.upserted.append(pod.workload)
            } else {
                steps.removed.append(uid)
            }
        }
        let enrolment = pod.flatMap { pod in
            pod.workload.isEnrolled
                ? pod.enrolment(isStrict: parts.authentication.isStrict(for: pod.manifest.metadata)) : nil
        }
        let oldNode = old?.isEnrolled == true ? old?.node : nil
        enrol(id, enrolment, on: pod?.workload.node ?? "", instead: oldNode)
    }

    private mutating func use(
        _ name: NamespacedName, _ step: Int, _ policy: AuthorizationPolicy?, _ steps: inout PatchSteps
    ) {
        if steps.policies[name] == nil { steps.policies[name] = .some(mesh.state.policies[name]) }
        let uses = (convertedUses[name] ?? 0) + step
        convertedUses[name] = uses > 0 ? uses : nil
        if uses <= 0 { mesh.state.policies[name] = nil } else if let policy { mesh.state.policies[name] = policy }
    }

    private mutating func enrol(
        _ id: NamespacedName, _ enrolment: PodEnrolment?, on node: String, instead oldNode: String?
    ) {
        func isBefore(_ other: PodEnrolment) -> Bool { (other.namespace, other.name) < (id.namespace, id.name) }
        func isSame(_ other: PodEnrolment) -> Bool { other.namespace == id.namespace && other.name == id.name }
        if let oldNode, let index = mesh.enrolments[oldNode]?.firstIndex(where: isSame) {
            if oldNode == node, let enrolment {
                if mesh.enrolments[node]?[index] != enrolment { mesh.enrolments[node]?[index] = enrolment }
                return
            }
            mesh.enrolments[oldNode]?.remove(at: index)
            if mesh.enrolments[oldNode]?.isEmpty == true { mesh.enrolments[oldNode] = nil }
        }
        guard let enrolment else { return }
        let index = mesh.enrolments[node]?.firstIndex { !isBefore($0) } ?? mesh.enrolments[node]?.endIndex ?? 0
        mesh.enrolments[node, default: []].insert(enrolment, at: index)
    }

    private func converted(_ workload: Workload) -> [NamespacedName] {
        workload.policies.filter { mesh.state.policies[$0]?.origin == .peerAuthentication }
    }
}

/// What a patch did, to be told in the order that `MeshState.changes` has.
private struct PatchSteps {
    var removed: [WorkloadUID] = []
    var upserted: [Workload] = []
    /// Policies that may have come or gone, as they were before.
    var policies: [NamespacedName: AuthorizationPolicy?] = [:]

    func changes(in state: MeshState) -> [MeshChange] {
        let touched = policies.sorted { $0.key < $1.key }
        let new = touched.compactMap { name, old in state.policies[name].flatMap { $0 == old ? nil : $0 } }
        let gone = touched.filter { $0.value != nil && state.policies[$0.key] == nil }.map(\.key)
        return removed.sorted().map { .workloadRemoved($0) } + new.map { .policyUpserted($0) }
            + upserted.sorted { $0.uid < $1.uid }.map { .workloadUpserted($0) } + gone.map { .policyRemoved($0) }
    }
}
