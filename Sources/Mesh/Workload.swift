package import Addressing

/// A pod (or another thing with an address and an identity) that takes part in the mesh or is reached from it.
package struct Workload: Hashable, Sendable {
    package var uid: WorkloadUID
    package var name: String
    package var namespace: String
    package var serviceAccount: String
    package var trustDomain: TrustDomain
    package var cluster: String
    /// Name of the node it runs on; empty if it runs on none.
    package var node: String
    package var addresses: [IPAddress]
    /// It shares its node's addresses, so it is never captured and never found by address.
    package var isHostNetwork: Bool
    package var tunnelProtocol: TunnelProtocol
    /// Ready and not being deleted.
    package var isHealthy: Bool
    package var locality: Locality
    package var owner: WorkloadOwner
    package var canonicalName: String
    package var canonicalRevision: String
    /// Services that it is an endpoint of, with the ports it serves each on.
    package var services: [NamespacedName: [PortMapping]]
    /// Policies that select this workload, besides those of its namespace and of the mesh.
    package var policies: [NamespacedName]
    /// Waypoint for traffic that is addressed to this workload itself.
    package var waypoint: WaypointAddress?
    /// Who may come around the waypoint.
    package var waypointExceptions: WaypointExceptions
    /// Weight among equals; at least 1.
    package var capacity: UInt32

    package init(
        uid: WorkloadUID, name: String, namespace: String, serviceAccount: String = "default", trustDomain: TrustDomain,
        cluster: String = "Kubernetes", node: String = "", addresses: [IPAddress], isHostNetwork: Bool = false,
        tunnelProtocol: TunnelProtocol = .none, isHealthy: Bool = true, locality: Locality = Locality(),
        owner: WorkloadOwner? = nil, canonicalName: String? = nil, canonicalRevision: String = "latest",
        services: [NamespacedName: [PortMapping]] = [:], policies: [NamespacedName] = [],
        waypoint: WaypointAddress? = nil, waypointExceptions: WaypointExceptions = WaypointExceptions(),
        capacity: UInt32 = 1
    ) {
        self.uid = uid
        self.name = name
        self.namespace = namespace
        self.serviceAccount = serviceAccount
        self.trustDomain = trustDomain
        self.cluster = cluster
        self.node = node
        self.addresses = addresses
        self.isHostNetwork = isHostNetwork
        self.tunnelProtocol = tunnelProtocol
        self.isHealthy = isHealthy
        self.locality = locality
        self.owner = owner ?? WorkloadOwner(kind: .pod, name: name)
        self.canonicalName = canonicalName ?? name
        self.canonicalRevision = canonicalRevision
        self.services = services
        self.policies = policies
        self.waypoint = waypoint
        self.waypointExceptions = waypointExceptions
        self.capacity = max(1, capacity)
    }

    /// What its certificate must say: trust domain, namespace and service account.
    package var identity: SPIFFEID {
        SPIFFEID(trustDomain: trustDomain, namespace: namespace, serviceAccount: serviceAccount)
    }

    /// Whether its traffic is captured and it accepts HBONE.
    package var isEnrolled: Bool { tunnelProtocol == .hbone && !isHostNetwork }
}

/// How a workload is reached.
package enum TunnelProtocol: Hashable, Sendable {
    /// Plain TCP.
    case none
    /// HBONE on port 15008 of its address.
    case hbone
}

/// Where a workload runs; an empty part is unknown.
package struct Locality: Hashable, Sendable {
    package var region: String
    package var zone: String
    package var subzone: String

    package init(region: String = "", zone: String = "", subzone: String = "") {
        self.region = region
        self.zone = zone
        self.subzone = subzone
    }
}

/// The object that made the pod, as telemetry names it.
package struct WorkloadOwner: Hashable, Sendable {
    /// The kinds that telemetry tells apart.
    package enum Kind: String, Hashable, Sendable {
        case deployment
        case cronjob
        case job
        case pod
    }

    package var kind: Kind
    package var name: String

    package init(kind: Kind, name: String) {
        self.kind = kind
        self.name = name
    }
}

/// One port of a service as one endpoint serves it: named target ports differ per endpoint.
package struct PortMapping: Hashable, Sendable {
    package var servicePort: UInt16
    package var targetPort: UInt16

    package init(servicePort: UInt16, targetPort: UInt16) {
        self.servicePort = servicePort
        self.targetPort = targetPort
    }
}

/// Where a waypoint is: by the name of its service or by address, with its HBONE port.
package struct WaypointAddress: Hashable, Sendable {
    /// By the name of a service, or by one address.
    package enum Destination: Hashable, Sendable {
        case service(NamespacedName)
        case address(IPAddress)
    }

    package var destination: Destination
    package var hbonePort: UInt16

    package init(destination: Destination, hbonePort: UInt16 = MeshPorts.hbone) {
        self.destination = destination
        self.hbonePort = hbonePort
    }
}
