package import Addressing

/// A pod (or another thing with an address and an identity) that takes part in the mesh or is reached from it.
///
/// A value that is passed on with every connection, so its fields are shared until one is changed (copy on write).
package struct Workload: Hashable, Sendable {
    private var box: Box

    /// Names it for as long as it exists.
    package var uid: WorkloadUID {
        get { box.values.uid }
        _modify { yield &own().values.uid }
    }
    /// The pod's name.
    package var name: String {
        get { box.values.name }
        _modify { yield &own().values.name }
    }
    /// Its namespace.
    package var namespace: String {
        get { box.values.namespace }
        _modify { yield &named.namespace }
    }
    /// The account that its identity is of.
    package var serviceAccount: String {
        get { box.values.serviceAccount }
        _modify { yield &named.serviceAccount }
    }
    /// The domain that its certificate is of.
    package var trustDomain: TrustDomain {
        get { box.values.trustDomain }
        _modify { yield &named.trustDomain }
    }
    /// The cluster that it runs in.
    package var cluster: String {
        get { box.values.cluster }
        _modify { yield &own().values.cluster }
    }
    /// Name of the node it runs on; empty if it runs on none.
    package var node: String {
        get { box.values.node }
        _modify { yield &own().values.node }
    }
    /// All of its addresses.
    package var addresses: [IPAddress] {
        get { box.values.addresses }
        _modify { yield &own().values.addresses }
    }
    /// It shares its node's addresses, so it is never captured and never found by address.
    package var isHostNetwork: Bool {
        get { box.values.isHostNetwork }
        _modify { yield &own().values.isHostNetwork }
    }
    /// How it is reached.
    package var tunnelProtocol: TunnelProtocol {
        get { box.values.tunnelProtocol }
        _modify { yield &own().values.tunnelProtocol }
    }
    /// Ready and not being deleted.
    package var isHealthy: Bool {
        get { box.values.isHealthy }
        _modify { yield &own().values.isHealthy }
    }
    /// Where it runs.
    package var locality: Locality {
        get { box.values.locality }
        _modify { yield &own().values.locality }
    }
    /// The object that made it.
    package var owner: WorkloadOwner {
        get { box.values.owner }
        _modify { yield &own().values.owner }
    }
    /// The name that telemetry knows it by.
    package var canonicalName: String {
        get { box.values.canonicalName }
        _modify { yield &own().values.canonicalName }
    }
    /// The revision that telemetry knows it by.
    package var canonicalRevision: String {
        get { box.values.canonicalRevision }
        _modify { yield &own().values.canonicalRevision }
    }
    /// Services that it is an endpoint of, with the ports it serves each on.
    package var services: [NamespacedName: [PortMapping]] {
        get { box.values.services }
        _modify { yield &own().values.services }
    }
    /// Policies that select this workload, besides those of its namespace and of the mesh.
    package var policies: [NamespacedName] {
        get { box.values.policies }
        _modify { yield &own().values.policies }
    }
    /// Waypoint for traffic that is addressed to this workload itself.
    package var waypoint: WaypointAddress? {
        get { box.values.waypoint }
        _modify { yield &own().values.waypoint }
    }
    /// Who may come around the waypoint.
    package var waypointExceptions: WaypointExceptions {
        get { box.values.waypointExceptions }
        _modify { yield &own().values.waypointExceptions }
    }
    /// Weight among equals; at least 1.
    package var capacity: UInt32 {
        get { box.values.capacity }
        _modify { yield &own().values.capacity }
    }

    package init(
        uid: WorkloadUID, name: String, namespace: String, serviceAccount: String = "default", trustDomain: TrustDomain,
        cluster: String = "Kubernetes", node: String = "", addresses: [IPAddress], isHostNetwork: Bool = false,
        tunnelProtocol: TunnelProtocol = .none, isHealthy: Bool = true, locality: Locality = Locality(),
        owner: WorkloadOwner? = nil, canonicalName: String? = nil, canonicalRevision: String = "latest",
        services: [NamespacedName: [PortMapping]] = [:], policies: [NamespacedName] = [],
        waypoint: WaypointAddress? = nil, waypointExceptions: WaypointExceptions = WaypointExceptions(),
        capacity: UInt32 = 1
    ) {
        box = Box(
            Values(
                uid: uid, name: name, namespace: namespace, serviceAccount: serviceAccount, trustDomain: trustDomain,
                cluster: cluster, node: node, addresses: addresses, isHostNetwork: isHostNetwork,
                tunnelProtocol: tunnelProtocol, isHealthy: isHealthy, locality: locality,
                owner: owner ?? WorkloadOwner(kind: .pod, name: name), canonicalName: canonicalName ?? name,
                canonicalRevision: canonicalRevision, services: services, policies: policies, waypoint: waypoint,
                waypointExceptions: waypointExceptions, capacity: max(1, capacity)))
    }

    /// What its certificate must say: trust domain, namespace and service account.
    package var identity: SPIFFEID { box.identity }

    /// Whether its traffic is captured and it accepts HBONE.
    package var isEnrolled: Bool { tunnelProtocol == .hbone && !isHostNetwork }

    package static func == (left: Workload, right: Workload) -> Bool {
        left.box === right.box || left.box.values == right.box.values
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(box.values) }

    /// The values, to change one that the identity is made of.
    private var named: Values {
        get { box.values }
        _modify {
            let own = own()
            defer { own.identity = own.values.identity }
            yield &own.values
        }
    }

    /// The fields, held by this value alone from now on.
    private mutating func own() -> Box {
        if !isKnownUniquelyReferenced(&box) { box = Box(box.values) }
        return box
    }

    private final class Box: @unchecked Sendable {
        // @unchecked: changed only by the one value that holds it.
        var values: Values
        /// Made once, as it is asked for with every connection.
        var identity: SPIFFEID

        init(_ values: Values) {
            self.values = values
            identity = values.identity
        }
    }

    private struct Values: Hashable {
        var uid: WorkloadUID
        var name: String
        var namespace: String
        var serviceAccount: String
        var trustDomain: TrustDomain
        var cluster: String
        var node: String
        var addresses: [IPAddress]
        var isHostNetwork: Bool
        var tunnelProtocol: TunnelProtocol
        var isHealthy: Bool
        var locality: Locality
        var owner: WorkloadOwner
        var canonicalName: String
        var canonicalRevision: String
        var services: [NamespacedName: [PortMapping]]
        var policies: [NamespacedName]
        var waypoint: WaypointAddress?
        var waypointExceptions: WaypointExceptions
        var capacity: UInt32

        var identity: SPIFFEID {
            SPIFFEID(trustDomain: trustDomain, namespace: namespace, serviceAccount: serviceAccount)
        }
    }
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
