/// The kinds of resources that an agent subscribes to.
package enum ResourceType: Hashable, Sendable, CaseIterable {
    // Policies stand first: where several kinds change at once, they are sent first.
    /// Policies.
    case authorization
    /// What holds for the pods of a namespace: egress, limits. A type of ours.
    case namespacePolicy
    /// Workloads and services.
    case address

    /// The type URL on the wire.
    package var typeURL: String {
        switch self {
        case .authorization: AnyResource.typeURL(of: Istio_Security_Authorization.self)
        case .namespacePolicy: AnyResource.typeURL(of: Meshnode_Wire_NamespacePolicy.self)
        case .address: AnyResource.typeURL(of: Istio_Workload_Address.self)
        }
    }

    /// Whether every control plane of an ambient mesh has it. Others say nothing at all of a type of ours.
    var isShared: Bool { self != .namespacePolicy }

    /// Nil for a type that is not known.
    package init?(typeURL: String) {
        guard let type = Self.allCases.first(where: { $0.typeURL == typeURL }) else { return nil }
        self = type
    }
}

/// What a client says: a subscription, or the answer to a response.
package typealias DeltaRequest = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
/// What a server says: resources that are new or changed, and names of those that are gone.
package typealias DeltaResponse = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

/// How control planes call themselves in their responses.
enum ControlPlaneName {
    /// Ours: it knows all of `ResourceType`.
    static let own = "meshnode"
}
