import Addressing

extension Router {
    /// The route to a destination's waypoint; the authority stays what the client asked for. A waypoint that cannot
    /// be reached refuses: going around it would go around its policies.
    static func route(
        to waypoint: WaypointAddress, for address: SocketAddress, service: NamespacedName?,
        with balancer: LoadBalancer<some LoadView>
    ) -> Route {
        switch balancer.chooseWaypoint(waypoint, family: address.ip.family) {
        case .none(let detail):
            return .refused(.noHealthyUpstream, detail: "waypoint of \(address): \(detail)")
        case .found(let endpoint, let tunnel, let identities):
            return .tunnel(
                TunnelRoute(
                    endpoint: endpoint, address: TunnelAddress(tunnel), authority: .address(address),
                    acceptedIdentities: identities, application: ApplicationAddress(address), service: service,
                    isToWaypoint: true, isSameNode: endpoint.sharesNode(with: balancer.source)))
        }
    }

    /// Whether `source` is that waypoint itself, whose traffic is not sent to it again.
    static func comes(_ source: Workload, from waypoint: WaypointAddress, in snapshot: MeshSnapshot) -> Bool {
        switch waypoint.destination {
        case .service(let name):
            return source.services[name] != nil
        case .address(let address):
            if source.addresses.contains(address) { return true }
            guard let service = snapshot.service(at: address, from: source.namespace) else { return false }
            return source.services[service.name] != nil
        }
    }
}

/// An endpoint of a waypoint and where it accepts tunnels, or why there is none.
enum WaypointChoice {
    case found(Workload, SocketAddress, Set<SPIFFEID>)
    case none(String)
}

extension LoadBalancer {
    fileprivate func chooseWaypoint(_ waypoint: WaypointAddress, family: IPAddress.Family) -> WaypointChoice {
        let service: Service?
        switch waypoint.destination {
        case .service(let name):
            guard let known = snapshot.service(name) else { return .none("service \(name) is not known") }
            service = known
        case .address(let address):
            service = snapshot.service(at: address, from: source.namespace)
            if service == nil {
                guard let workload = snapshot.workload(at: address) else { return .none("nobody has \(address)") }
                return .found(workload, SocketAddress(address, waypoint.hbonePort), [workload.identity])
            }
        }
        guard let service else { return .none("its service is not known") }
        switch choose(of: service, port: waypoint.hbonePort) {
        case .none(let detail):
            return .none(detail)
        case .endpoint(let endpoint):
            guard let address = endpoint.address(in: family) else { return .none("\(endpoint.uid) has no address") }
            let port = endpoint.targetPort(of: service.name, port: waypoint.hbonePort) ?? waypoint.hbonePort
            return .found(
                endpoint, SocketAddress(address, port), Set(service.subjectAltNames).union([endpoint.identity]))
        }
    }
}
