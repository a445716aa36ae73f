import Addressing
import Mesh
import Resources

extension MeshBuilder {
    func makeService(_ manifest: ServiceManifest) -> Service {
        let name = manifest.metadata.id
        return Service(
            name: name, hostname: "\(name.name).\(name.namespace).svc.\(parameters.clusterDomain)",
            addresses: manifest.clusterIPs.map { IPPrefix($0) }, ports: manifest.ports.map(Self.port),
            loadBalancing: Self.loadBalancing(manifest), publishesNotReady: manifest.publishesNotReady,
            hasClientAffinity: manifest.hasClientAffinity)
    }

    private static func port(_ port: ServiceManifest.Port) -> ServicePort {
        let known = ["http", "http2", "https", "grpc", "tcp", "tls", "mongo", "mysql", "redis"]
        let prefix = String(port.name.prefix { $0 != "-" })
        let guessed = port.name.hasPrefix("grpc-web") ? "grpc-web" : known.contains(prefix) ? prefix : ""
        return ServicePort(
            port: port.port, name: port.name, appProtocol: port.appProtocol.isEmpty ? guessed : port.appProtocol)
    }

    private static func loadBalancing(_ manifest: ServiceManifest) -> LoadBalancingPolicy {
        if manifest.isNodeLocal { return LoadBalancingPolicy(mode: .strict, scopes: [.node]) }
        switch manifest.trafficDistribution {
        case nil: return LoadBalancingPolicy()
        case .sameZone: return LoadBalancingPolicy(mode: .failover, scopes: [.network, .region, .zone])
        case .sameNode:
            return LoadBalancingPolicy(mode: .failover, scopes: [.network, .region, .zone, .subzone, .node])
        }
    }

    /// Tells each pod which services it is an endpoint of.
    ///
    /// - Returns: the endpoints that are no pods: addresses that only an EndpointSlice knows.
    func addEndpoints(
        of services: [ServiceManifest], slices: [EndpointSliceManifest], to pods: inout [BuiltPod]
    ) -> [Workload] {
        var index = EndpointIndex(pods)
        let byService = Dictionary(grouping: slices.filter { $0.service != nil }) { $0.service }
        var others: [WorkloadUID: Workload] = [:]
        for service in services {
            if let slices = byService[service.metadata.id] {
                for slice in slices { add(slice, of: service, index: &index, pods: &pods, others: &others) }
            } else if !service.selector.isEmpty {
                addSelected(by: service, index: index, pods: &pods)
            }
        }
        return others.values.sorted { $0.uid < $1.uid }
    }

    private func addSelected(by service: ServiceManifest, index: EndpointIndex, pods: inout [BuiltPod]) {
        for position in index.byNamespace[service.metadata.namespace] ?? []
        where pods[position].manifest.metadata.hasLabels(service.selector) {
            let mappings = service.ports.compactMap { port in
                Self.targetPort(port.target, of: pods[position].manifest).map {
                    PortMapping(servicePort: port.port, targetPort: $0)
                }
            }
            pods[position].workload.add(mappings, of: service)
        }
    }

    private static func targetPort(_ target: ServiceManifest.TargetPort, of pod: PodManifest) -> UInt16? {
        switch target {
        case .number(let number): number
        case .name(let name): pod.namedPorts.first { $0.name == name }?.port
        }
    }

    private func add(
        _ slice: EndpointSliceManifest, of service: ServiceManifest, index: inout EndpointIndex, pods: inout [BuiltPod],
        others: inout [WorkloadUID: Workload]
    ) {
        let mappings = service.ports.compactMap { port -> PortMapping? in
            guard let match = slice.ports.first(where: { $0.name == port.name }) else { return nil }
            return PortMapping(servicePort: port.port, targetPort: match.port ?? port.port)
        }
        // What is not ready leaves at once, whether or not its pod says so too.
        for endpoint in slice.endpoints where endpoint.isReady || service.publishesNotReady {
            let positions = index.positions(of: endpoint, pods: pods)
            for position in positions { pods[position].workload.add(mappings, of: service) }
            guard positions.isEmpty, endpoint.pod == nil else { continue }
            for address in endpoint.addresses {
                let workload = makeWorkload(endpoint, address: address, slice: slice)
                others[workload.uid, default: workload].add(mappings, of: service)
            }
        }
    }

    /// An endpoint that is no pod: plain TCP to an address.
    private func makeWorkload(
        _ endpoint: EndpointSliceManifest.Endpoint, address: IPAddress, slice: EndpointSliceManifest
    ) -> Workload {
        let name = slice.metadata.id
        return Workload(
            uid: WorkloadUID("\(parameters.cluster)/discovery.k8s.io/EndpointSlice/\(name)/\(address)"),
            name: name.name,
            namespace: name.namespace, trustDomain: parameters.trustDomain, cluster: parameters.cluster,
            node: endpoint.node, addresses: [address], locality: Locality(zone: endpoint.zone))
    }
}

/// Finds pods by what endpoints say of them; the numbers are positions in the list of pods.
private struct EndpointIndex {
    private(set) var byNamespace: [String: [Int]] = [:]
    private var byName: [NamespacedName: Int] = [:]
    private var byAddress: [IPAddress: Int] = [:]

    init(_ pods: [BuiltPod]) {
        for (position, pod) in pods.enumerated() {
            byNamespace[pod.workload.namespace, default: []].append(position)
            byName[pod.manifest.metadata.id] = position
            guard !pod.workload.isHostNetwork else { continue }
            for address in pod.workload.addresses { byAddress[address] = position }
        }
    }

    /// The pods that an endpoint is. A pod that is named must have the address that is given, so that a stale slice
    /// leads nobody to the address's new owner under the old one's name.
    func positions(of endpoint: EndpointSliceManifest.Endpoint, pods: [BuiltPod]) -> [Int] {
        if let name = endpoint.pod {
            guard let position = byName[name] else { return [] }
            return endpoint.addresses.contains { pods[position].workload.addresses.contains($0) } ? [position] : []
        }
        return endpoint.addresses.compactMap { byAddress[$0] }.reduce(into: []) { result, position in
            if !result.contains(position) { result.append(position) }
        }
    }
}

extension Workload {
    /// Adds ports it serves `service` on; without ports it is no endpoint.
    fileprivate mutating func add(_ mappings: [PortMapping], of service: ServiceManifest) {
        guard !mappings.isEmpty else { return }
        let known = services[service.metadata.id] ?? []
        let new = mappings.filter { !known.contains($0) }
        services[service.metadata.id] = (known + new).sorted {
            ($0.servicePort, $0.targetPort) < ($1.servicePort, $1.targetPort)
        }
    }
}
