import HashTreeCollections

/// All that the mesh knows at one moment, as a value: whoever holds one sees no change until given the next.
///
/// Its collections are persistent: a copy shares everything with its original, and a change costs its own size,
/// not the mesh's. Handing one on, as for every connection, costs one reference.
package struct MeshSnapshot: Sendable {
    private var box = Box()

    /// Grows with every applied message; the controller's number where a controller numbers its messages.
    package var version: UInt64 {
        get { box.version }
        set { own().version = newValue }
    }

    var workloadIndex: WorkloadIndex {
        _read { yield box.workloadIndex }
        _modify { yield &own().workloadIndex }
    }

    var serviceIndex: ServiceIndex {
        _read { yield box.serviceIndex }
        _modify { yield &own().serviceIndex }
    }

    var policyIndex: PolicyIndex {
        _read { yield box.policyIndex }
        _modify { yield &own().policyIndex }
    }

    private var namespacePolicies: TreeDictionary<String, NamespacePolicy> {
        _read { yield box.namespacePolicies }
        _modify { yield &own().namespacePolicies }
    }

    /// A mesh that knows nothing.
    package init() {}

    /// The state, held by this value alone from now on.
    private mutating func own() -> Box {
        if !isKnownUniquelyReferenced(&box) { box = Box(box) }
        return box
    }

    private final class Box: @unchecked Sendable {
        // @unchecked: changed only by the one value that holds it.
        var version: UInt64 = 0
        var workloadIndex = WorkloadIndex()
        var serviceIndex = ServiceIndex()
        var policyIndex = PolicyIndex()
        var namespacePolicies: TreeDictionary<String, NamespacePolicy> = [:]

        init() {}

        init(_ other: Box) {
            version = other.version
            workloadIndex = other.workloadIndex
            serviceIndex = other.serviceIndex
            policyIndex = other.policyIndex
            namespacePolicies = other.namespacePolicies
        }
    }

    /// A mesh made by `changes`, applied in their order.
    package init(_ changes: some Sequence<MeshChange>) {
        apply(contentsOf: changes)
    }

    /// Applies one step and counts it in `version`. A removal of what is not there changes nothing.
    package mutating func apply(_ change: MeshChange) {
        perform(change)
        version &+= 1
    }

    /// Applies the steps of one message in their order, as one version.
    package mutating func apply(contentsOf changes: some Sequence<MeshChange>) {
        for change in changes { perform(change) }
        version &+= 1
    }

    private mutating func perform(_ change: MeshChange) {
        switch change {
        case .workloadUpserted(let workload): workloadIndex.upsert(workload)
        case .workloadRemoved(let uid): workloadIndex.remove(uid)
        case .serviceUpserted(let service): serviceIndex.upsert(service)
        case .serviceRemoved(let name): serviceIndex.remove(name)
        case .policyUpserted(let policy): policyIndex.upsert(policy)
        case .policyRemoved(let name): policyIndex.remove(name)
        case .namespacePolicyUpserted(let namespace, let policy): namespacePolicies[namespace] = policy
        case .namespacePolicyRemoved(let namespace): namespacePolicies[namespace] = nil
        }
    }

    /// What holds for the pods of `namespace`; where nothing is said, all egress is allowed and nothing is bounded.
    package func namespacePolicy(of namespace: String) -> NamespacePolicy {
        namespacePolicies[namespace] ?? NamespacePolicy()
    }

    /// The namespaces with a policy of their own, sorted by name.
    package var namespacesWithPolicy: [String] { namespacePolicies.keys.sorted() }

    /// What pods of `namespace` may reach outside the mesh.
    package func egressMode(ofNamespace namespace: String) -> EgressMode { namespacePolicy(of: namespace).egress }
}
