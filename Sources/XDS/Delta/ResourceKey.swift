import Mesh

/// What of the mesh a resource is.
enum ResourceKey: Hashable, Sendable {
    case workload(WorkloadUID)
    case service(NamespacedName)
    case policy(NamespacedName)
    case namespacePolicy(String)

    var type: ResourceType {
        switch self {
        case .workload, .service: .address
        case .policy: .authorization
        case .namespacePolicy: .namespacePolicy
        }
    }

    var removal: MeshChange {
        switch self {
        case .workload(let uid): .workloadRemoved(uid)
        case .service(let name): .serviceRemoved(name)
        case .policy(let name): .policyRemoved(name)
        case .namespacePolicy(let namespace): .namespacePolicyRemoved(namespace)
        }
    }

    init(_ change: MeshChange) {
        switch change {
        case .workloadUpserted(let workload): self = .workload(workload.uid)
        case .workloadRemoved(let uid): self = .workload(uid)
        case .serviceUpserted(let service): self = .service(service.name)
        case .serviceRemoved(let name): self = .service(name)
        case .policyUpserted(let policy): self = .policy(policy.name)
        case .policyRemoved(let name): self = .policy(name)
        case .namespacePolicyUpserted(let namespace, _), .namespacePolicyRemoved(let namespace):
            self = .namespacePolicy(namespace)
        }
    }
}

extension Translator {
    /// The name on the wire.
    func resourceName(of key: ResourceKey) -> String {
        switch key {
        case .workload(let uid): uid.text
        case .service(let name): naming.key(of: name)
        case .policy(let name): name.description
        case .namespacePolicy(let namespace): namespace
        }
    }
}
