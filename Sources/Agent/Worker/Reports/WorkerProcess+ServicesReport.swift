internal import Addressing
internal import Mesh

extension WorkerProcess {
    var servicesReport: ServicesReport {
        ServicesReport(snapshot, time: time, node: configuration.node)
    }
}

extension ServicesReport {
    /// All services of the mesh.
    init(_ snapshot: MeshSnapshot, time: Timestamp, node: String) {
        self.init(time: time, node: node, items: snapshot.services.map { Item($0, in: snapshot) })
    }
}

extension ServicesReport.Item {
    fileprivate init(_ service: Service, in snapshot: MeshSnapshot) {
        let endpoints = snapshot.endpoints(of: service.name)
        var policies: Set<NamespacedName> = []
        for endpoint in endpoints { policies.formUnion(snapshot.policies(for: endpoint).map(\.name)) }
        self.init(
            namespace: service.name.namespace, name: service.name.name, hostname: service.hostname,
            addresses: service.addresses.map(\.shortText),
            ports: service.ports.map { $0.appProtocol.isEmpty ? "\($0.port)" : "\($0.port)/\($0.appProtocol)" },
            readyEndpoints: endpoints.count { $0.isHealthy || service.publishesNotReady }, endpoints: endpoints.count,
            servers: endpoints.map { $0.text(asServerOf: service.name) }, waypoint: service.waypoint?.text ?? "",
            policies: policies.sorted().map(\.description), balancing: service.balancingText)
    }
}

extension Workload {
    fileprivate func text(asServerOf service: NamespacedName) -> String {
        let ports = (services[service] ?? []).map { "\($0.servicePort)->\($0.targetPort)" }.joined(separator: ",")
        let address = addresses.first?.description ?? "?"
        return "\(namespace)/\(name) \(address) \(ports)\(isHealthy ? "" : " not ready")"
    }
}

extension WaypointAddress {
    /// Its name or its address.
    var text: String {
        switch destination {
        case .service(let name): name.description
        case .address(let address): address.description
        }
    }
}

extension IPPrefix {
    /// Without the length where it is that of one address.
    fileprivate var shortText: String {
        length == (address.family == .v4 ? 32 : 128) ? address.description : description
    }
}

extension Service {
    fileprivate var balancingText: String {
        let scopes = loadBalancing.scopes.map { "\($0)" }.joined(separator: ", ")
        let affinity = hasClientAffinity ? ["one client stays on one endpoint"] : []
        switch loadBalancing.mode {
        case .unspecified: return affinity.joined()
        case .strict: return (["only endpoints with the same \(scopes)"] + affinity).joined(separator: "; ")
        case .failover: return (["endpoints with the same \(scopes) first"] + affinity).joined(separator: "; ")
        }
    }
}
