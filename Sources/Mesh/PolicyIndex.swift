import HashTreeCollections

/// The policies of the mesh, found by name and by whom they are about.
struct PolicyIndex: Sendable {
    private(set) var policies: TreeDictionary<NamespacedName, AuthorizationPolicy> = [:]
    /// Mesh-wide policies, sorted by name.
    private var ofMesh: [AuthorizationPolicy] = []
    /// Namespace-wide policies by namespace, each list sorted by name.
    private var ofNamespace: TreeDictionary<String, [AuthorizationPolicy]> = [:]

    mutating func upsert(_ policy: AuthorizationPolicy) {
        remove(policy.name)
        policies[policy.name] = policy
        switch policy.scope {
        case .mesh: ofMesh.insertSorted(policy)
        case .namespace: ofNamespace[policy.name.namespace, default: []].insertSorted(policy)
        case .workload: break
        }
    }

    mutating func remove(_ name: NamespacedName) {
        guard let policy = policies.removeValue(forKey: name) else { return }
        switch policy.scope {
        case .mesh:
            ofMesh.removeAll { $0.name == name }
        case .namespace:
            ofNamespace[name.namespace]?.removeAll { $0.name == name }
            if ofNamespace[name.namespace]?.isEmpty == true { ofNamespace.removeValue(forKey: name.namespace) }
        case .workload: break
        }
    }

    /// What applies to `workload`: the mesh's, its namespace's, then those that it names itself, each part
    /// sorted by name.
    func applying(to workload: Workload) -> [AuthorizationPolicy] {
        var result = ofMesh
        if let more = ofNamespace[workload.namespace] { result += more }
        if !workload.policies.isEmpty { result += own(of: workload) }
        return result
    }

    private func own(of workload: Workload) -> [AuthorizationPolicy] {
        Set(workload.policies).sorted().compactMap { policies[$0] }.filter { policy in
            switch policy.scope {
            case .mesh: false
            case .namespace: policy.name.namespace != workload.namespace
            case .workload: true
            }
        }
    }
}

extension [AuthorizationPolicy] {
    fileprivate mutating func insertSorted(_ policy: AuthorizationPolicy) {
        insert(policy, at: firstIndex { policy.name < $0.name } ?? endIndex)
    }
}
