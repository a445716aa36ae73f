import Addressing

/// Who may reach a workload without its waypoint, as annotations of the pod say: metrics scrapers, the peers of a
/// StatefulSet. `status` lists them.
package struct WaypointExceptions: Hashable, Sendable {
    /// Ports of the application that everyone may come to.
    package var ports: [UInt16]
    /// Service accounts that may come to every port; their trust domain is the workload's.
    package var serviceAccounts: [NamespacedName]

    package init(ports: [UInt16] = [], serviceAccounts: [NamespacedName] = []) {
        self.ports = ports
        self.serviceAccounts = serviceAccounts
    }

    /// Whether there are none.
    package var isEmpty: Bool { ports.isEmpty && serviceAccounts.isEmpty }
}

/// "Only from my waypoint": which waypoints a connection to one port of a workload must come from.
///
/// A port that a bound service leads to wants the waypoint of that service (of any, where several are bound); the
/// other ports, and these too, want or accept the waypoint that the workload itself is bound to.
package struct WaypointRequirement: Hashable, Sendable {
    /// What became of a connection.
    package enum Judgement: Hashable, Sendable {
        case satisfied
        /// It came around the waypoint; the detail is a sentence for the log.
        case missed(detail: String)
    }

    /// The waypoints, any of which will do, sorted by name; empty where everyone may come.
    package let waypoints: [WaypointAddress]
    private let accepted: Set<SPIFFEID>
    private let exceptions: WaypointExceptions
    private let trustDomain: TrustDomain

    /// What holds for the application's `port` of `workload`.
    package init(port: UInt16, of workload: Workload, in snapshot: MeshSnapshot) {
        exceptions = workload.waypointExceptions
        trustDomain = workload.trustDomain
        var waypoints = workload.waypoint.map { [$0] } ?? []
        for (name, ports) in workload.services {
            guard let waypoint = snapshot.service(name)?.waypoint, ports.contains(where: { $0.targetPort == port }),
                !waypoints.contains(waypoint)
            else { continue }
            waypoints.append(waypoint)
        }
        // A waypoint is not behind itself.
        let others = waypoints.filter { !Router.comes(workload, from: $0, in: snapshot) }
        self.waypoints = others.count > 1 ? others.sorted { $0.description < $1.description } : others
        accepted = others.reduce(into: []) { $0.formUnion(snapshot.identities(of: $1, from: workload.namespace)) }
    }

    /// Whether the connection may come as it does. A waypoint that nobody knows leaves nobody who may.
    package func judge(_ facts: ConnectionFacts) -> Judgement {
        guard !waypoints.isEmpty, !exceptions.ports.contains(facts.destinationPort) else { return .satisfied }
        guard let source = facts.source else { return .missed(detail: "plaintext does not come from \(names)") }
        if accepted.contains(source) { return .satisfied }
        let account = NamespacedName(namespace: source.namespace, name: source.serviceAccount)
        if source.trustDomain == trustDomain, exceptions.serviceAccounts.contains(account) { return .satisfied }
        return .missed(detail: "\(source.principal) is not \(names)")
    }

    private var names: String {
        "waypoint " + waypoints.map(\.description).joined(separator: " or ")
            + (accepted.isEmpty ? ", which has no endpoint" : "")
    }
}

extension MeshSnapshot {
    /// The identities that a waypoint's endpoints have, ready or not; empty while it is not known.
    func identities(of waypoint: WaypointAddress, from namespace: String) -> Set<SPIFFEID> {
        if let service = service(of: waypoint, from: namespace) {
            return Set(service.subjectAltNames).union(endpoints(of: service.name).map(\.identity))
        }
        guard case .address(let address) = waypoint.destination else { return [] }
        return workload(at: address).map { [$0.identity] } ?? []
    }

    /// The service that a waypoint is, by name or by address; nil if it is none that is known.
    func service(of waypoint: WaypointAddress, from namespace: String) -> Service? {
        switch waypoint.destination {
        case .service(let name): service(name)
        case .address(let address): service(at: address, from: namespace)
        }
    }
}

extension WaypointAddress: CustomStringConvertible {
    /// The service's name or the address.
    package var description: String {
        switch destination {
        case .service(let name): name.description
        case .address(let address): address.description
        }
    }
}
