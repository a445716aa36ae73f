import Addressing
import HashTreeCollections

/// Which endpoint of a service a connection goes to: health, then locality, then the less loaded of two drawn at
/// random by capacity, or the same one again for a client that shall stay.
package struct LoadBalancer<Load: LoadView> {
    package let snapshot: MeshSnapshot
    package let source: Workload
    package let load: Load
    /// Any number decides the draw; equal numbers draw equally.
    package let randomBits: UInt64
    /// Endpoints that were tried already.
    package let excluded: Set<WorkloadUID>

    package init(
        snapshot: MeshSnapshot, source: Workload, load: Load, randomBits: UInt64, excluded: Set<WorkloadUID> = []
    ) {
        self.snapshot = snapshot
        self.source = source
        self.load = load
        self.randomBits = randomBits
        self.excluded = excluded
    }

    /// The endpoint for a new connection to `port` of `service`, or why there is none.
    package func choose(of service: Service, port: UInt16) -> EndpointChoice {
        guard let endpoints = snapshot.workloadIndex.endpoints[service.name], !endpoints.isEmpty else {
            return .none("service \(service.name) has no endpoint")
        }
        var search = Search(draw: EndpointDraw(seed: seed(for: service)))
        for endpoint in endpoints.values {
            consider(endpoint, of: service, port: port, in: &search, sparingEjected: true)
        }
        if search.draw.first == nil, search.ejected > 0 {
            search = Search(draw: EndpointDraw(seed: seed(for: service)))
            for endpoint in endpoints.values {
                consider(endpoint, of: service, port: port, in: &search, sparingEjected: false)
            }
        }
        guard let first = search.draw.first else {
            return .none(failure(of: service, port: port, endpoints: Array(endpoints.values)))
        }
        guard !service.hasClientAffinity, let second = search.draw.second else { return .endpoint(first.workload) }
        return .endpoint(isBusier(first.workload, than: second.workload) ? second.workload : first.workload)
    }

    /// One pass over the endpoints: the draw among the nearest so far, and counts for the failure's sentence.
    fileprivate struct Search {
        var draw: EndpointDraw
        var rank = -1
        var ejected = 0
    }

    private func consider(
        _ endpoint: EndpointRecord, of service: Service, port: UInt16, in search: inout Search, sparingEjected: Bool
    ) {
        guard case .usable(let rank) = standing(of: endpoint, service: service, port: port) else { return }
        guard !sparingEjected || !load.isEjected(endpoint.record.workload.uid) else { search.ejected += 1; return }
        guard rank >= search.rank else { return }
        if rank > search.rank {
            search.rank = rank
            search.draw = search.draw.restarted
        }
        search.draw.add(endpoint.record)
    }

    /// Whether `endpoint` can take a connection to `port` of `service`, and how near it is.
    func standing(of endpoint: EndpointRecord, service: Service, port: UInt16) -> EndpointStanding {
        // The workload is only looked at in place: copying it would cost more than all the rest.
        let record = endpoint.record
        guard record.workload.isHealthy || service.publishesNotReady else { return .unusable(.notReady) }
        guard endpoint.targetPort(of: port) != nil else { return .unusable(.portless) }
        guard !record.workload.addresses.isEmpty else { return .unusable(.addressless) }
        guard excluded.isEmpty || !excluded.contains(record.workload.uid) else { return .unusable(.tried) }
        guard let rank = rank(of: record, under: service.loadBalancing) else { return .unusable(.distant) }
        return .usable(rank: rank)
    }

    /// How near the endpoint is: the higher the nearer; nil if it must not be used at all.
    private func rank(of endpoint: WorkloadRecord, under policy: LoadBalancingPolicy) -> Int? {
        guard policy.mode != .unspecified else { return 0 }
        let shared = policy.scopes.prefix { source.shares($0, with: endpoint.workload) }.count
        return policy.mode == .strict && shared < policy.scopes.count ? nil : shared
    }

    private func isBusier(_ one: Workload, than other: Workload) -> Bool {
        // Connections per capacity, cross-multiplied in 128 bits so that it cannot overflow. The new connection is
        // not counted: between idle endpoints the draw, which knows capacity already, stays the decision.
        func burden(_ endpoint: Workload, times capacity: UInt32) -> UInt128 {
            UInt128(max(0, load.activeConnections(to: endpoint.uid))) * UInt128(max(1, capacity))
        }
        return burden(one, times: other.capacity) > burden(other, times: one.capacity)
    }

    private func seed(for service: Service) -> UInt64 {
        guard service.hasClientAffinity else { return randomBits }
        let client = source.addresses.first.map { UInt64(truncatingIfNeeded: $0.number ^ ($0.number >> 64)) }
        return StableHash.mixed(client ?? StableHash.of(source.uid.text)) ^ StableHash.of(service.hostname)
    }
}

/// An endpoint, or the sentence that says why there is none.
package enum EndpointChoice: Hashable, Sendable {
    case endpoint(Workload)
    case none(String)
}

/// Whether an endpoint can take a connection.
enum EndpointStanding: Hashable, Sendable {
    /// The higher the rank the nearer.
    case usable(rank: Int)
    case unusable(Cause)

    /// Why it cannot, in words that follow its name.
    enum Cause: String, Hashable, Sendable, CaseIterable {
        case notReady = "not ready"
        case portless = "not serving the port"
        case addressless = "without an address"
        case tried = "tried in vain"
        case distant = "too far under its traffic policy"
    }
}

extension LoadBalancer {
    private func failure(of service: Service, port: UInt16, endpoints: [EndpointRecord]) -> String {
        let standings = endpoints.map { standing(of: $0, service: service, port: port) }
        let listed = EndpointStanding.Cause.allCases.compactMap { cause -> String? in
            let count = standings.count { $0 == .unusable(cause) }
            guard count > 0 else { return nil }
            return "\(count) \(cause == .portless ? "not serving port \(port)" : cause.rawValue)"
        }
        let noun = "endpoint\(endpoints.count == 1 ? "" : "s")"
        return "service \(service.name) has \(endpoints.count) \(noun), none usable: \(listed.joined(separator: ", "))"
    }
}

extension Workload {
    /// The port on which this endpoint serves `port` of `service`; nil if it does not.
    package func targetPort(of service: NamespacedName, port: UInt16) -> UInt16? {
        services[service]?.first { $0.servicePort == port }?.targetPort
    }

    /// Whether both are in one place of that kind. Unknown localities of both sides count as one place, since
    /// clusters without topology labels are one; but no two workloads share "no node".
    fileprivate func shares(_ scope: LoadBalancingPolicy.Scope, with other: Workload) -> Bool {
        switch scope {
        case .network: true
        case .region: locality.region == other.locality.region
        case .zone: locality.zone == other.locality.zone
        case .subzone: locality.subzone == other.locality.subzone
        case .node: !node.isEmpty && node == other.node
        case .cluster: cluster == other.cluster
        }
    }
}
