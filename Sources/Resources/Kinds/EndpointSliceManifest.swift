package import Addressing
package import Mesh

/// An EndpointSlice: some of the endpoints of a service, one address family.
package struct EndpointSliceManifest: Hashable, Sendable {
    /// One entry of `endpoints`.
    package struct Endpoint: Hashable, Sendable {
        package var addresses: [IPAddress]
        /// A missing condition counts as ready.
        package var isReady: Bool
        /// The pod that it is; nil for an address outside the cluster.
        package var pod: NamespacedName?
        package var node: String
        package var zone: String

        package init(
            addresses: [IPAddress], isReady: Bool = true, pod: NamespacedName? = nil, node: String = "",
            zone: String = ""
        ) {
            self.addresses = addresses
            self.isReady = isReady
            self.pod = pod
            self.node = node
            self.zone = zone
        }
    }

    /// The port that all endpoints of this slice serve a service port on.
    package struct Port: Hashable, Sendable {
        /// Name of the service's port.
        package var name: String
        /// Nil: the same as the service's.
        package var port: UInt16?

        package init(name: String, port: UInt16?) {
            self.name = name
            self.port = port
        }
    }

    package var metadata: ManifestMetadata
    /// Nil if the slice belongs to no service.
    package var service: NamespacedName?
    package var endpoints: [Endpoint]
    /// TCP ports.
    package var ports: [Port]

    package init(
        metadata: ManifestMetadata, service: NamespacedName?, endpoints: [Endpoint] = [], ports: [Port] = []
    ) {
        self.metadata = metadata
        self.service = service
        self.endpoints = endpoints
        self.ports = ports
    }
}

extension EndpointSliceManifest {
    init(_ object: ObjectFields) {
        let metadata = object.metadata
        let name = metadata.labels["kubernetes.io/service-name"]
        self.init(
            metadata: metadata, service: name.map { NamespacedName(namespace: metadata.namespace, name: $0) })
        let root = object.root
        // Endpoints that are names have no address that a connection could be looked up by.
        guard root["addressType"]?.string() != "FQDN" else { return }
        endpoints = (root["endpoints"]?.items() ?? []).compactMap { Self.endpoint($0, namespace: metadata.namespace) }
        ports = (root["ports"]?.items() ?? []).compactMap(Self.port)
    }

    private static func endpoint(_ field: Field, namespace: String) -> Endpoint? {
        guard let fields = field.mapping(knowing: KnownFields.endpoint),
            let addresses = fields.required("addresses")?.items()
        else { return nil }
        let conditions = fields["conditions"]?.mapping(knowing: ["ready", "serving", "terminating"])
        let target = fields["targetRef"]?.mapping()
        var pod: NamespacedName?
        if let target, target["kind"]?.string() == "Pod", let name = target.required("name")?.objectName() {
            pod = NamespacedName(namespace: target["namespace"]?.namespaceName() ?? namespace, name: name)
        }
        return Endpoint(
            addresses: addresses.compactMap { $0.address() }, isReady: conditions?["ready"]?.bool() ?? true, pod: pod,
            node: fields["nodeName"]?.objectName() ?? "", zone: fields["zone"]?.string() ?? "")
    }

    private static func port(_ field: Field) -> Port? {
        guard let fields = field.mapping(knowing: ["name", "port", "protocol", "appProtocol"]),
            (fields["protocol"]?.string() ?? "TCP") == "TCP"
        else { return nil }
        return Port(name: fields["name"]?.string() ?? "", port: fields["port"]?.port())
    }
}
