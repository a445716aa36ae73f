/// One step of the mesh's state: what the controller says and what a snapshot applies.
package enum MeshChange: Hashable, Sendable {
    case workloadUpserted(Workload)
    case workloadRemoved(WorkloadUID)
    case serviceUpserted(Service)
    case serviceRemoved(NamespacedName)
    case policyUpserted(AuthorizationPolicy)
    case policyRemoved(NamespacedName)
    case namespacePolicyUpserted(namespace: String, NamespacePolicy)
    case namespacePolicyRemoved(String)
}
