import Addressing
import HashTreeCollections

/// A route in words, before or after the fact: what the destination was taken for, which endpoints there were, and
/// why the connection goes in a tunnel, as it is, or nowhere.
package struct RouteExplanation: Hashable, Sendable {
    /// What the destination was taken for; services are looked up before workloads.
    package enum Target: Hashable, Sendable {
        case service(NamespacedName, port: UInt16)
        case workload(WorkloadUID)
        /// Nobody in the mesh has the address; the namespace's egress mode decides.
        case unknown(EgressMode)
    }

    /// One endpoint of the service and what was thought of it.
    package struct Endpoint: Hashable, Sendable {
        package let workload: WorkloadUID
        package let isChosen: Bool
        /// Why it was not considered, in words; nil if it could have been chosen.
        package let exclusion: String?
    }

    package let route: Route
    package let target: Target
    /// The waypoint that the target is bound to, whether or not the connection goes there.
    package let waypoint: WaypointAddress?
    /// The endpoints that were chosen from, of the service or of its waypoint's service; sorted by uid.
    package let endpoints: [Endpoint]

    /// Decides as `Router.route` does with the same arguments, and says what led there.
    package init(
        _ destination: OriginalDestination, from source: Workload, in snapshot: MeshSnapshot,
        load: some LoadView = NoLoad(), randomBits: UInt64, excluding: Set<WorkloadUID> = []
    ) {
        let address = destination.address
        route = Router.route(
            destination, from: source, in: snapshot, load: load, randomBits: randomBits, excluding: excluding)
        var waypoint: WaypointAddress?
        var candidates: (Service, UInt16)?
        if let service = snapshot.service(at: address.ip, from: source.namespace) {
            target = .service(service.name, port: address.port)
            waypoint = service.waypoint
            candidates = (service, address.port)
        } else if let workload = snapshot.workload(at: address.ip) {
            target = .workload(workload.uid)
            waypoint = workload.waypoint
        } else {
            target = .unknown(snapshot.egressMode(ofNamespace: source.namespace))
        }
        if let waypoint, !Router.comes(source, from: waypoint, in: snapshot) {
            candidates = snapshot.service(of: waypoint, from: source.namespace).map { ($0, waypoint.hbonePort) }
        }
        self.waypoint = waypoint
        let balancer = LoadBalancer(
            snapshot: snapshot, source: source, load: load, randomBits: randomBits, excluded: excluding)
        let chosen = route.endpoint?.uid
        endpoints =
            candidates.map { service, port in
                Self.endpoints(of: service, port: port, chosen: chosen, balancer)
            } ?? []
    }

    private static func endpoints(
        of service: Service, port: UInt16, chosen: WorkloadUID?, _ balancer: LoadBalancer<some LoadView>
    ) -> [Endpoint] {
        let records = balancer.snapshot.workloadIndex.endpoints[service.name]?.values.map(\.self) ?? []
        return records.sorted { $0.record.workload.uid < $1.record.workload.uid }.map { record in
            let uid = record.record.workload.uid
            var exclusion: String?
            switch balancer.standing(of: record, service: service, port: port) {
            case .unusable(let cause): exclusion = cause.rawValue
            case .usable where uid != chosen && balancer.load.isEjected(uid): exclusion = "failed repeatedly"
            case .usable: break
            }
            return Endpoint(workload: uid, isChosen: uid == chosen, exclusion: exclusion)
        }
    }

    /// What the destination is, the waypoint, the endpoints, and the way: a line each.
    package var lines: [String] {
        var lines = [targetLine]
        if let waypoint { lines.append("bound to waypoint \(waypoint)") }
        lines += endpoints.map { endpoint in
            let note = endpoint.isChosen ? "chosen" : endpoint.exclusion ?? "not drawn"
            return "  endpoint \(endpoint.workload): \(note)"
        }
        return lines + [route.summary]
    }

    private var targetLine: String {
        switch target {
        case .service(let name, let port): "service \(name) port \(port)"
        case .workload(let uid): "workload \(uid)"
        case .unknown(let mode): "nobody in the mesh has the address; egress is \(mode.rawValue)"
        }
    }
}

extension Route {
    /// Who is at the other end, if known: of a tunnel the one that accepts it.
    package var endpoint: Workload? {
        switch self {
        case .tunnel(let tunnel): tunnel.endpoint
        case .plaintext(let plain): plain.workload
        case .refused: nil
        }
    }

    /// The way in one line, and why it is that one.
    package var summary: String {
        switch self {
        case .tunnel(let tunnel):
            "HBONE to \(tunnel.address) for \(tunnel.authority)\(tunnel.isToWaypoint ? ", the waypoint" : "")"
                + tunnel.nodeNote + ": "
                + (tunnel.isToWaypoint ? "the destination is bound to it" : "\(tunnel.endpoint.uid) is in the mesh")
        case .plaintext(let plain): "plaintext to \(plain.address): \(Self.words(for: plain))"
        case .refused(let reason, let detail): "refused, \(reason.rawValue): \(detail)"
        }
    }

    private static func words(for plain: PlaintextRoute) -> String {
        let who = plain.workload?.uid.text ?? "the destination"
        switch plain.cause {
        case .notEnrolled: return "\(who) is not in the mesh"
        case .hostNetwork: return "\(who) shares its node's network"
        case .unknownDestination: return "nobody in the mesh has the address"
        }
    }
}
