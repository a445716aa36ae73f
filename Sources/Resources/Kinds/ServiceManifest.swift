package import Addressing

/// A Service: its names, addresses and ports, and which pods serve it.
package struct ServiceManifest: Hashable, Sendable {
    /// Which port of a pod a service port leads to.
    package enum TargetPort: Hashable, Sendable {
        case number(UInt16)
        /// The container port of this name, which may differ per pod.
        case name(String)
    }

    /// One TCP port.
    package struct Port: Hashable, Sendable {
        package var name: String
        package var port: UInt16
        package var target: TargetPort
        /// Empty if not written.
        package var appProtocol: String

        package init(name: String = "", port: UInt16, target: TargetPort? = nil, appProtocol: String = "") {
            self.name = name
            self.port = port
            self.target = target ?? .number(port)
            self.appProtocol = appProtocol
        }
    }

    /// `spec.trafficDistribution`: where endpoints are preferred.
    package enum TrafficDistribution: Hashable, Sendable {
        case sameZone
        case sameNode
    }

    package var metadata: ManifestMetadata
    /// A DNS alias; the mesh does not serve it.
    package var isExternalName: Bool
    /// Empty if it is headless or has none yet.
    package var clusterIPs: [IPAddress]
    /// TCP ports; others are no business of the mesh.
    package var ports: [Port]
    /// Empty: its endpoints are only those of its EndpointSlices.
    package var selector: [String: String]
    package var publishesNotReady: Bool
    package var hasClientAffinity: Bool
    package var trafficDistribution: TrafficDistribution?
    /// internalTrafficPolicy Local: only endpoints of the client's node.
    package var isNodeLocal: Bool

    package init(
        metadata: ManifestMetadata, isExternalName: Bool = false, clusterIPs: [IPAddress] = [], ports: [Port] = [],
        selector: [String: String] = [:], publishesNotReady: Bool = false, hasClientAffinity: Bool = false,
        trafficDistribution: TrafficDistribution? = nil, isNodeLocal: Bool = false
    ) {
        self.metadata = metadata
        self.isExternalName = isExternalName
        self.clusterIPs = clusterIPs
        self.ports = ports
        self.selector = selector
        self.publishesNotReady = publishesNotReady
        self.hasClientAffinity = hasClientAffinity
        self.trafficDistribution = trafficDistribution
        self.isNodeLocal = isNodeLocal
    }
}

extension ServiceManifest {
    init(_ object: ObjectFields) {
        self.init(metadata: object.metadata)
        guard let spec = object.spec(knowing: KnownFields.serviceSpec) else { return }
        isExternalName = spec["type"]?.string() == "ExternalName"
        clusterIPs = Self.addresses(of: spec)
        ports = (spec["ports"]?.items() ?? []).compactMap(Self.port)
        selector = spec["selector"]?.stringMap() ?? [:]
        publishesNotReady = spec["publishNotReadyAddresses"]?.bool() ?? false
        hasClientAffinity = spec["sessionAffinity"]?.string() == "ClientIP"
        isNodeLocal = spec["internalTrafficPolicy"]?.string() == "Local"
        trafficDistribution = spec["trafficDistribution"].flatMap(Self.distribution)
    }

    private static func addresses(of spec: Fields) -> [IPAddress] {
        let fields = [spec["clusterIP"]].compactMap { $0 } + (spec["clusterIPs"]?.items() ?? [])
        return fields.reduce(into: []) { result, field in
            guard let text = field.string(), text != "None", !text.isEmpty, let address = field.address()
            else { return }
            if !result.contains(address) { result.append(address) }
        }
    }

    private static func port(_ field: Field) -> Port? {
        guard let fields = field.mapping(knowing: KnownFields.servicePort),
            let number = fields.required("port")?.port(),
            (fields["protocol"]?.string() ?? "TCP") == "TCP"
        else { return nil }
        return Port(
            name: fields["name"]?.string() ?? "", port: number, target: fields["targetPort"].flatMap(target),
            appProtocol: fields["appProtocol"]?.string() ?? "")
    }

    private static func target(_ field: Field) -> TargetPort? {
        guard let text = field.string() else { return nil }
        if let number = parsePort(text) { return .number(number) }
        guard (1...15).contains(text.utf8.count), text.utf8.contains(where: { (97...122).contains($0) }) else {
            field.error("must be a port from 1 through 65535 or the name of a container port, not \(quoted(text))")
            return nil
        }
        return .name(text)
    }

    private static func distribution(_ field: Field) -> TrafficDistribution? {
        switch field.string() {
        case "PreferClose", "PreferSameZone": return .sameZone
        case "PreferSameNode": return .sameNode
        default:
            field.warn("is not PreferSameZone, PreferSameNode or PreferClose: endpoints are chosen without preference")
            return nil
        }
    }
}
