package import Addressing

/// Where a connection that left a captured pod goes, decided on its original destination: service before
/// workload, workload before the unknown (tunnel design, "Which way a connection goes").
package enum Router {
    /// The route of a connection from `source` to `destination`.
    ///
    /// - Parameters:
    ///   - load: what is known of the endpoints' load; all are equal with `NoLoad()`.
    ///   - randomBits: decides the draw between endpoints; equal arguments give equal routes.
    ///   - excluding: endpoints of the service that were tried already, for a retry.
    package static func route(
        _ destination: OriginalDestination, from source: Workload, in snapshot: MeshSnapshot,
        load: some LoadView = NoLoad(), randomBits: UInt64, excluding: Set<WorkloadUID> = []
    ) -> Route {
        let address = destination.address
        guard !MeshPorts.isOwn(address.port) else { return loop(to: address.port) }
        let balancer = LoadBalancer(
            snapshot: snapshot, source: source, load: load, randomBits: randomBits, excluded: excluding)
        if let service = snapshot.service(at: address.ip, from: source.namespace) {
            return route(to: service, at: address, with: balancer)
        }
        if let workload = snapshot.workload(at: address.ip) {
            return route(to: workload, at: address, with: balancer)
        }
        return route(toUnknown: address, from: source, in: snapshot)
    }

    private static func route(
        to service: Service, at address: SocketAddress, with balancer: LoadBalancer<some LoadView>
    ) -> Route {
        guard service.ports.contains(where: { $0.port == address.port }) else {
            return .refused(.noHealthyUpstream, detail: missingPort(address.port, of: service))
        }
        if let waypoint = service.waypoint, !comes(balancer.source, from: waypoint, in: balancer.snapshot) {
            return route(to: waypoint, for: address, service: service.name, with: balancer)
        }
        switch balancer.choose(of: service, port: address.port) {
        case .none(let detail):
            return .refused(.noHealthyUpstream, detail: detail)
        case .endpoint(let endpoint):
            guard let target = endpoint.address(in: address.ip.family),
                let port = endpoint.targetPort(of: service.name, port: address.port)
            else { return .refused(.noHealthyUpstream, detail: "endpoint \(endpoint.uid) cannot be addressed") }
            return finish(
                to: endpoint, at: SocketAddress(target, port), via: service, from: balancer.source,
                in: balancer.snapshot)
        }
    }

    private static func route(
        to workload: Workload, at address: SocketAddress, with balancer: LoadBalancer<some LoadView>
    ) -> Route {
        if let waypoint = workload.waypoint, !comes(balancer.source, from: waypoint, in: balancer.snapshot) {
            return route(to: waypoint, for: address, service: nil, with: balancer)
        }
        return finish(to: workload, at: address, via: nil, from: balancer.source, in: balancer.snapshot)
    }

    private static func route(
        toUnknown address: SocketAddress, from source: Workload, in snapshot: MeshSnapshot
    ) -> Route {
        let mode = snapshot.egressMode(ofNamespace: source.namespace)
        guard mode == .allow else {
            return .refused(
                .egressDenied,
                detail: "\(address) is not in the mesh, and namespace \(source.namespace) has egress \(mode.rawValue)")
        }
        return .plaintext(
            PlaintextRoute(
                address: ApplicationAddress(address), workload: nil, service: nil, cause: .unknownDestination))
    }

    /// The last step: tunnel to who takes part, plaintext to who does not.
    private static func finish(
        to endpoint: Workload, at application: SocketAddress, via service: Service?, from source: Workload,
        in snapshot: MeshSnapshot
    ) -> Route {
        guard !MeshPorts.isOwn(application.port) else { return loop(to: application.port) }
        guard endpoint.isEnrolled else {
            return plaintext(to: endpoint, at: application, via: service, from: source, in: snapshot)
        }
        return .tunnel(
            TunnelRoute(
                endpoint: endpoint,
                address: TunnelAddress(SocketAddress(application.ip, MeshPorts.hbone)),
                authority: .address(application),
                acceptedIdentities: identities(of: endpoint, behind: service),
                application: ApplicationAddress(application),
                service: service?.name,
                isToWaypoint: false,
                isSameNode: endpoint.sharesNode(with: source)))
    }

    private static func identities(of endpoint: Workload, behind service: Service?) -> Set<SPIFFEID> {
        guard let others = service?.subjectAltNames, !others.isEmpty else { return [endpoint.identity] }
        return Set(others).union([endpoint.identity])
    }

    private static func plaintext(
        to endpoint: Workload, at application: SocketAddress, via service: Service?, from source: Workload,
        in snapshot: MeshSnapshot
    ) -> Route {
        if endpoint.node.isEmpty, snapshot.egressMode(ofNamespace: source.namespace) == .deny {
            return .refused(
                .egressDenied,
                detail: "\(endpoint.uid) is outside the mesh, and namespace \(source.namespace) has egress deny")
        }
        return .plaintext(
            PlaintextRoute(
                address: ApplicationAddress(application), workload: endpoint, service: service?.name,
                cause: endpoint.isHostNetwork ? .hostNetwork : .notEnrolled))
    }

    private static func loop(to port: UInt16) -> Route {
        .refused(.selfCall, detail: "port \(port) is the mesh's own and would loop")
    }

    private static func missingPort(_ port: UInt16, of service: Service) -> String {
        let ports = service.ports.map { String($0.port) }.joined(separator: ", ")
        return "service \(service.name) has no port \(port)\(ports.isEmpty ? "" : " (it has \(ports))")"
    }
}

extension Workload {
    /// Its first address in `family`; where it has none there, its first of any.
    package func address(in family: IPAddress.Family) -> IPAddress? {
        addresses.first { $0.family == family } ?? addresses.first
    }

    /// Whether both run on one (known) node.
    package func sharesNode(with other: Workload) -> Bool { !node.isEmpty && node == other.node }
}
