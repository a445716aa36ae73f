package import Mesh

/// The wanted state of the mesh as plain values: what a builder makes and what changes are computed from.
package struct MeshState: Hashable, Sendable {
    package var workloads: [WorkloadUID: Workload]
    package var services: [NamespacedName: Service]
    package var policies: [NamespacedName: AuthorizationPolicy]
    /// By the namespace that it is about.
    package var namespacePolicies: [String: NamespacePolicy]

    package init(
        workloads: [WorkloadUID: Workload] = [:], services: [NamespacedName: Service] = [:],
        policies: [NamespacedName: AuthorizationPolicy] = [:], namespacePolicies: [String: NamespacePolicy] = [:]
    ) {
        self.workloads = workloads
        self.services = services
        self.policies = policies
        self.namespacePolicies = namespacePolicies
    }

    /// The steps from `old` to this state, always in the same order. A workload's policies come before it and go
    /// after it, and removed workloads go first, since their addresses may be given to others in the same message.
    package func changes(from old: MeshState) -> [MeshChange] {
        removed(old.workloads, workloads).map { .workloadRemoved($0) }
            + upserted(old.policies, policies).map { .policyUpserted($0) }
            + changed(old.namespacePolicies, namespacePolicies).map {
                .namespacePolicyUpserted(namespace: $0.key, $0.value)
            }
            + upserted(old.services, services).map { .serviceUpserted($0) }
            + upserted(old.workloads, workloads).map { .workloadUpserted($0) }
            + removed(old.services, services).map { .serviceRemoved($0) }
            + removed(old.policies, policies).map { .policyRemoved($0) }
            + removed(old.namespacePolicies, namespacePolicies).map { .namespacePolicyRemoved($0) }
    }

    /// Applies one step; a removal of what is not there changes nothing.
    package mutating func apply(_ change: MeshChange) {
        switch change {
        case .workloadUpserted(let workload): workloads[workload.uid] = workload
        case .workloadRemoved(let uid): workloads[uid] = nil
        case .serviceUpserted(let service): services[service.name] = service
        case .serviceRemoved(let name): services[name] = nil
        case .policyUpserted(let policy): policies[policy.name] = policy
        case .policyRemoved(let name): policies[name] = nil
        case .namespacePolicyUpserted(let namespace, let policy): namespacePolicies[namespace] = policy
        case .namespacePolicyRemoved(let namespace): namespacePolicies[namespace] = nil
        }
    }

    private func upserted<Key: Comparable, Value: Equatable>(_ old: [Key: Value], _ new: [Key: Value]) -> [Value] {
        changed(old, new).map(\.value)
    }

    private func changed<Key: Comparable, Value: Equatable>(
        _ old: [Key: Value], _ new: [Key: Value]
    ) -> [(key: Key, value: Value)] {
        new.filter { old[$0.key] != $0.value }.sorted { $0.key < $1.key }
    }

    private func removed<Key: Comparable, Value>(_ old: [Key: Value], _ new: [Key: Value]) -> [Key] {
        old.keys.filter { new[$0] == nil }.sorted()
    }
}
