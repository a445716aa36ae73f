import Addressing
import Mesh
import Resources

extension MeshBuilder {
    /// The pods that have not ended, in the order of their names: those with an address, and those that are to be
    /// captured on a node although theirs is not known yet.
    func makePods(
        _ context: BuildContext, manifests: ManifestSet, problems: inout [ManifestProblem]
    ) -> [BuiltPod] {
        let living = context.pods.filter { isInState($0, context) }
        let lost = addressesLost(living, manifests: manifests, problems: &problems)
        reportUnknownWishes(context, manifests: manifests, problems: &problems)
        reportMissingNamespaces(living, context, manifests: manifests, problems: &problems)
        return living.compactMap { pod in
            let addresses = pod.addresses.filter { lost[pod.metadata.id]?.contains($0) != true }
            return addresses.isEmpty && !pod.addresses.isEmpty ? nil : makePod(pod, addresses: addresses, context)
        }
    }

    /// Whether the state knows the pod: it has not ended, and has an address or is to be captured before it has one.
    func isInState(_ pod: PodManifest, _ context: BuildContext) -> Bool {
        !pod.isFinished && (!pod.addresses.isEmpty || !pod.node.isEmpty && isEnrolled(pod, context))
    }

    /// Whether nothing is to be reported about the pod, so that it can change without the problems changing.
    func isUnreported(_ pod: PodManifest, _ context: BuildContext) -> Bool {
        let label = pod.metadata.labels[parameters.enrolmentLabel]
        return (label == nil || label == "enabled" || label == "disabled")
            && context.namespaces[pod.metadata.namespace] != nil
    }

    func makePod(_ pod: PodManifest, addresses: [IPAddress], _ context: BuildContext) -> BuiltPod {
        let metadata = pod.metadata
        let owner = WorkloadOwner(of: metadata)
        let workload = Workload(
            uid: WorkloadUID(cluster: parameters.cluster, podNamespace: metadata.namespace, podName: metadata.name),
            name: metadata.name, namespace: metadata.namespace, serviceAccount: pod.serviceAccount,
            trustDomain: parameters.trustDomain, cluster: parameters.cluster, node: pod.node, addresses: addresses,
            isHostNetwork: pod.isHostNetwork, tunnelProtocol: isEnrolled(pod, context) ? .hbone : .none,
            isHealthy: pod.isHealthy, locality: context.nodes[pod.node].map { Locality(of: $0) } ?? Locality(),
            owner: owner,
            canonicalName: metadata.firstLabel(["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"])
                ?? owner.name,
            canonicalRevision: metadata.firstLabel([
                "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version",
            ]) ?? "latest",
            waypointExceptions: pod.waypointExceptions)
        return BuiltPod(manifest: pod, workload: workload)
    }

    /// Whether the pod is in the mesh: its own label wins over its namespace's; pods that share the node's network
    /// or have a proxy of their own never are.
    func isEnrolled(_ pod: PodManifest, _ context: BuildContext) -> Bool { exclusion(of: pod, context) == nil }

    /// Why the pod is not in the mesh, for an operator to read; nil if it is.
    func exclusion(of pod: PodManifest, _ context: BuildContext) -> String? {
        let (namespace, name) = (pod.metadata.namespace, pod.metadata.name)
        if pod.isHostNetwork { return "pod \(namespace)/\(name) shares its node's network" }
        if pod.metadata.annotations["sidecar.istio.io/status"] != nil {
            return "pod \(namespace)/\(name) has a sidecar of its own"
        }
        if parameters.excludedNamespaces.contains(namespace) {
            return "namespace \(namespace) is excluded from the mesh"
        }
        if let own = wish(of: pod.metadata) { return own ? nil : "pod \(namespace)/\(name) is labelled to stay out" }
        guard let parent = context.namespaces[namespace] else { return "there is no namespace \(namespace)" }
        let wish = wish(of: parent.metadata)
        return wish == true ? nil : Self.exclusion(ofNamespace: namespace, wish: wish)
    }

    static func exclusion(ofNamespace name: String, wish: Bool?) -> String {
        wish == nil ? "namespace \(name) is not in the mesh" : "namespace \(name) is labelled to stay out"
    }

    /// What an object's labels say of enrolment; nil if nothing. Our label wins over the one of migration.
    func wish(of metadata: ManifestMetadata) -> Bool? {
        switch metadata.labels[parameters.enrolmentLabel] {
        case "enabled": return true
        case "disabled": return false
        default: break
        }
        switch metadata.labels["istio.io/dataplane-mode"] {
        case "ambient": return true
        case "none": return false
        default: return nil
        }
    }

    // MARK: Contradictions

    /// Which addresses each pod must leave to another. A pod that is being deleted leaves its address to a living
    /// one without a word: that is how addresses are reused. Between living ones the older keeps it.
    private func addressesLost(
        _ pods: [PodManifest], manifests: ManifestSet, problems: inout [ManifestProblem]
    ) -> [NamespacedName: Set<IPAddress>] {
        var claims: [IPAddress: [PodManifest]] = [:]
        for pod in pods {
            for address in pod.claimedAddresses { claims[address, default: []].append(pod) }
        }
        var lost: [NamespacedName: Set<IPAddress>] = [:]
        for (address, claimants) in claims where claimants.count > 1 {
            let order = claimants.sorted(by: Self.keepsAddress)
            guard let keeper = order.first else { continue }
            for loser in order.dropFirst() {
                lost[loser.metadata.id, default: []].insert(address)
                guard !loser.metadata.isBeingDeleted else { continue }
                problems.append(addressProblem(address, keeper: keeper, loser: loser, manifests))
            }
        }
        return lost
    }

    private static func keepsAddress(_ one: PodManifest, _ other: PodManifest) -> Bool {
        if one.metadata.isBeingDeleted != other.metadata.isBeingDeleted { return other.metadata.isBeingDeleted }
        return one.metadata.precedes(other.metadata)
    }

    private func addressProblem(
        _ address: IPAddress, keeper: PodManifest, loser: PodManifest, _ manifests: ManifestSet
    ) -> ManifestProblem {
        let keeperKey = ManifestKey(kind: .pod, namespace: keeper.metadata.namespace, name: keeper.metadata.name)
        let loserKey = ManifestKey(kind: .pod, namespace: loser.metadata.namespace, name: loser.metadata.name)
        let place = manifests.manifests[keeperKey].map { " (\($0.file):\($0.line))" } ?? ""
        return manifests.problem(
            .error, about: loserKey, field: "status.podIPs",
            "\(address) is also the address of \(keeperKey)\(place), which keeps it: give one of them another address")
    }

    /// A label that is misspelt would leave a pod out of the mesh without a word.
    private func reportUnknownWishes(
        _ context: BuildContext, manifests: ManifestSet, problems: inout [ManifestProblem]
    ) {
        func check(_ kind: ManifestKind, _ metadata: ManifestMetadata) {
            guard let text = metadata.labels[parameters.enrolmentLabel], text != "enabled", text != "disabled"
            else { return }
            let key = ManifestKey(kind: kind, namespace: metadata.namespace, name: metadata.name)
            problems.append(
                manifests.problem(
                    .warning, about: key, field: "metadata.labels.\(parameters.enrolmentLabel)",
                    "must be enabled or disabled; as it is, the label says nothing", topic: .notEnrolled))
        }
        for namespace in context.namespaces.values { check(.namespace, namespace.metadata) }
        for pod in context.pods { check(.pod, pod.metadata) }
    }

    /// A namespace without a manifest has no label, so its pods stay out of the mesh: most likely an oversight.
    private func reportMissingNamespaces(
        _ pods: [PodManifest], _ context: BuildContext, manifests: ManifestSet, problems: inout [ManifestProblem]
    ) {
        var seen: Set<String> = []
        for pod in pods {
            let metadata = pod.metadata
            guard context.namespaces[metadata.namespace] == nil, wish(of: metadata) == nil, !pod.isHostNetwork,
                seen.insert(metadata.namespace).inserted
            else { continue }
            let key = ManifestKey(kind: .pod, namespace: metadata.namespace, name: metadata.name)
            problems.append(
                manifests.problem(
                    .warning, about: key, field: "metadata.namespace",
                    "there is no Namespace \(metadata.namespace), so its pods are not in the mesh: add one with the "
                        + "label \(parameters.enrolmentLabel): enabled, or label the pods", topic: .notEnrolled))
        }
    }
}

extension PodManifest {
    /// The addresses that only one pod may have.
    var claimedAddresses: [IPAddress] { isFinished || isHostNetwork ? [] : addresses }
}

extension ManifestSet {
    func pod(_ key: ManifestKey) -> PodManifest? {
        guard case .pod(let pod) = manifests[key]?.object else { return nil }
        return pod
    }
}

extension ManifestMetadata {
    var id: NamespacedName { NamespacedName(namespace: namespace, name: name) }

    /// The first of `names` that has a value.
    func firstLabel(_ names: [String]) -> String? {
        names.lazy.compactMap { labels[$0] }.first { !$0.isEmpty }
    }
}

extension Locality {
    init(of node: NodeManifest) {
        let labels = node.metadata.labels
        self.init(
            region: labels["topology.kubernetes.io/region"] ?? "", zone: labels["topology.kubernetes.io/zone"] ?? "",
            subzone: labels["topology.istio.io/subzone"] ?? "")
    }
}
