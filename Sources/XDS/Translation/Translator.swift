import Mesh

/// Translates between the mesh's values and the messages of the wire, both ways.
///
/// What the shared types cannot say travels in extensions of ours, and what of theirs we do not know is ignored if that
/// is harmless and refused if it is not.
package struct Translator: Hashable, Sendable {
    /// How services are named on the wire.
    package let naming: ServiceNaming

    package init(naming: ServiceNaming = ServiceNaming()) {
        self.naming = naming
    }

    /// The trust domain of workloads that name none.
    static let defaultTrustDomain = "cluster.local"
    /// The service account of workloads that name none.
    static let defaultServiceAccount = "default"
}

/// The address of a waypoint has the same form for services and for workloads.
extension Translator {
    func message(of waypoint: WaypointAddress) -> Istio_Workload_GatewayAddress {
        var message = Istio_Workload_GatewayAddress()
        switch waypoint.destination {
        case .service(let name):
            message.hostname.namespace = name.namespace
            message.hostname.hostname = naming.hostname(of: name)
        case .address(let address):
            message.address.address = address.data
        }
        message.hboneMtlsPort = UInt32(waypoint.hbonePort)
        return message
    }

    func waypoint(
        _ message: Istio_Workload_GatewayAddress, _ reader: WireReader
    ) throws(XDSError) -> WaypointAddress {
        // Older control planes leave the port out where it is the usual one.
        let port =
            message.hboneMtlsPort == 0
            ? MeshPorts.hbone : try reader.port(message.hboneMtlsPort, "the waypoint's port")
        switch message.destination {
        case .hostname(let host):
            guard let name = naming.name(namespace: host.namespace, hostname: host.hostname) else {
                throw reader.invalid("the waypoint '\(host.namespace)/\(host.hostname)' is no service")
            }
            return WaypointAddress(destination: .service(name), hbonePort: port)
        case .address(let address):
            return WaypointAddress(destination: .address(try reader.address(address.address)), hbonePort: port)
        case nil:
            throw reader.invalid("the waypoint has no destination")
        }
    }
}
