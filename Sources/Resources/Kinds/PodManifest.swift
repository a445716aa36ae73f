package import Addressing
package import Mesh

/// A Pod: what the mesh needs of its spec and status.
package struct PodManifest: Hashable, Sendable {
    /// A named port of one of its containers.
    package struct NamedPort: Hashable, Sendable {
        package var name: String
        package var port: UInt16

        package init(name: String, port: UInt16) {
            self.name = name
            self.port = port
        }
    }

    package var metadata: ManifestMetadata
    package var serviceAccount: String
    /// Empty while it is not scheduled.
    package var node: String
    package var isHostNetwork: Bool
    /// TCP ports that have a name.
    package var namedPorts: [NamedPort]
    /// Its addresses, each once.
    package var addresses: [IPAddress]
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`; empty if not written.
    package var phase: String
    /// The condition `Ready`; nil if not written.
    package var readyCondition: Bool?
    package var exclusions: CaptureExclusions
    package var waypointExceptions: WaypointExceptions

    package init(
        metadata: ManifestMetadata, serviceAccount: String = "default", node: String = "", isHostNetwork: Bool = false,
        namedPorts: [NamedPort] = [], addresses: [IPAddress] = [], phase: String = "", readyCondition: Bool? = nil,
        exclusions: CaptureExclusions = CaptureExclusions(),
        waypointExceptions: WaypointExceptions = WaypointExceptions()
    ) {
        self.metadata = metadata
        self.serviceAccount = serviceAccount
        self.node = node
        self.isHostNetwork = isHostNetwork
        self.namedPorts = namedPorts
        self.addresses = addresses
        self.phase = phase
        self.readyCondition = readyCondition
        self.exclusions = exclusions
        self.waypointExceptions = waypointExceptions
    }

    /// It has ended: its address may already be another's.
    package var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }

    /// Ready and not being deleted. Where no condition is written (files by hand), a pod that runs is ready.
    package var isHealthy: Bool {
        !metadata.isBeingDeleted && (readyCondition ?? (phase.isEmpty || phase == "Running"))
    }
}

extension PodManifest {
    private static let knownInStatus: Set<String> = [
        "phase", "conditions", "podIP", "podIPs", "hostIP", "hostIPs", "message", "reason", "startTime", "qosClass",
        "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses", "nominatedNodeName", "resize",
        "resourceClaimStatuses", "observedGeneration", "extendedResourceClaimStatus", "allocatedResources", "resources",
    ]

    init(_ object: ObjectFields) {
        self.init(metadata: object.metadata)
        if let spec = object.spec(knowing: KnownFields.podSpec) { readSpec(spec) }
        if let status = object.root["status"]?.mapping(knowing: Self.knownInStatus) { readStatus(status) }
        exclusions = CaptureExclusions(annotationsOf: object)
        waypointExceptions = WaypointExceptions(annotationsOf: object)
    }

    private mutating func readSpec(_ spec: Fields) {
        serviceAccount = (spec["serviceAccountName"] ?? spec["serviceAccount"])?.objectName() ?? "default"
        node = spec["nodeName"]?.objectName() ?? ""
        isHostNetwork = spec["hostNetwork"]?.bool() ?? false
        let lists = [spec["containers"], spec["initContainers"]].compactMap { $0?.items() }
        namedPorts = lists.joined().flatMap { Self.namedPorts(ofContainer: $0) }
    }

    private static func namedPorts(ofContainer container: Field) -> [NamedPort] {
        guard let ports = container.mapping()?["ports"]?.items() else { return [] }
        return ports.compactMap { field in
            guard let fields = field.mapping(knowing: KnownFields.containerPort),
                let port = fields.required("containerPort")?.port(), let name = fields["name"]?.string(),
                (fields["protocol"]?.string() ?? "TCP") == "TCP"
            else { return nil }
            return NamedPort(name: name, port: port)
        }
    }

    private mutating func readStatus(_ status: Fields) {
        phase = status["phase"]?.string() ?? ""
        let listed = (status["podIPs"]?.items() ?? []).compactMap { $0.mapping()?.required("ip")?.address() }
        let all = [status["podIP"]?.address()].compactMap { $0 } + listed
        addresses = all.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        for condition in (status["conditions"]?.items() ?? []).compactMap({ $0.mapping() })
        where condition.required("type")?.string() == "Ready" {
            readyCondition = condition.required("status")?.string() == "True"
        }
    }
}
