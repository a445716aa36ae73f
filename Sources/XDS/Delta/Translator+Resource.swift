import Addressing
import Mesh
import SwiftProtobuf

typealias WireResource = Envoy_Service_Discovery_V3_Resource

extension Translator {
    /// The resource that tells a peer of `change`; nil for a removal, which is only a name.
    /// - Throws: `notRepresentable`.
    func resource(of change: MeshChange) throws(XDSError) -> WireResource? {
        switch change {
        case .workloadUpserted(let workload):
            var address = Istio_Workload_Address()
            address.workload = try message(of: workload)
            return try resource(
                of: change, address, aliases: workload.isHostNetwork ? [] : workload.addresses.map { "/\($0)" })
        case .serviceUpserted(let service):
            var address = Istio_Workload_Address()
            address.service = try message(of: service)
            let single = service.addresses.filter(\.isSingleAddress)
            return try resource(of: change, address, aliases: single.map { "/\($0.address)" })
        case .policyUpserted(let policy):
            return try resource(of: change, message(of: policy), aliases: [])
        case .namespacePolicyUpserted(let namespace, let policy):
            return try resource(of: change, message(of: policy, namespace: namespace), aliases: [])
        case .workloadRemoved, .serviceRemoved, .policyRemoved, .namespacePolicyRemoved:
            return nil
        }
    }

    private func resource(
        of change: MeshChange, _ message: some Message, aliases: [String]
    ) throws(XDSError) -> WireResource {
        var resource = WireResource()
        resource.name = resourceName(of: ResourceKey(change))
        resource.aliases = aliases
        resource.resource = try AnyResource.pack(message)
        resource.version = ContentHash.text(of: resource.resource.value)
        return resource
    }

    /// What the resource means.
    /// - Throws: `malformedMessage`, `invalidResource` or `unsupportedResource`, naming the resource.
    func change(of resource: WireResource, type: ResourceType) throws(XDSError) -> MeshChange {
        let change =
            switch type {
            case .authorization: MeshChange.policyUpserted(try policy(try unpack(resource)))
            case .namespacePolicy: try namespacePolicyChange(of: resource)
            case .address: try addressChange(of: resource)
            }
        guard resourceName(of: ResourceKey(change)) == resource.name else {
            throw XDSError(
                .invalidResource,
                "resource '\(resource.name)' holds '\(resourceName(of: ResourceKey(change)))' instead of itself")
        }
        return change
    }

    private func namespacePolicyChange(of resource: WireResource) throws(XDSError) -> MeshChange {
        let (namespace, policy) = try namespacePolicy(try unpack(resource))
        return .namespacePolicyUpserted(namespace: namespace, policy)
    }

    private func addressChange(of resource: WireResource) throws(XDSError) -> MeshChange {
        let address: Istio_Workload_Address = try unpack(resource)
        switch address.type {
        case .workload(let message): return .workloadUpserted(try workload(message))
        case .service(let message): return .serviceUpserted(try service(message))
        case nil: throw XDSError(.unsupportedResource, "address '\(resource.name)' is neither workload nor service")
        }
    }

    private func unpack<Content: Message>(_ resource: WireResource) throws(XDSError) -> Content {
        guard let content = AnyResource.unpack(resource.resource, as: Content.self) else {
            throw XDSError(
                .malformedMessage, "resource '\(resource.name)' is no \(Content.protoMessageName) that can be read")
        }
        return content
    }
}
