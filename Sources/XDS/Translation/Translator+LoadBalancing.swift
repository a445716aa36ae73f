import Mesh

extension Translator {
    func message(
        of policy: LoadBalancingPolicy, health: Istio_Workload_LoadBalancing.HealthPolicy
    ) -> Istio_Workload_LoadBalancing {
        var message = Istio_Workload_LoadBalancing()
        message.routingPreference = policy.scopes.map(Self.message)
        message.healthPolicy = health
        switch policy.mode {
        case .unspecified: message.mode = .unspecifiedMode
        case .strict: message.mode = .strict
        case .failover: message.mode = .failover
        }
        return message
    }

    func readLoadBalancing(
        _ message: Istio_Workload_LoadBalancing, into service: inout Service, _ reader: WireReader
    ) throws(XDSError) {
        for scope in message.routingPreference { service.loadBalancing.scopes.append(try self.scope(scope, reader)) }
        switch message.mode {
        case .unspecifiedMode: service.loadBalancing.mode = .unspecified
        case .strict: service.loadBalancing.mode = .strict
        case .failover: service.loadBalancing.mode = .failover
        case .passthrough: throw reader.unsupported("load balancing by passthrough is not supported")
        case .UNRECOGNIZED(let value): throw reader.unsupported("load balancing mode \(value) is not known")
        }
        switch message.healthPolicy {
        case .onlyHealthy: service.publishesNotReady = false
        case .allowAll: service.publishesNotReady = true
        case .UNRECOGNIZED(let value): throw reader.unsupported("health policy \(value) is not known")
        }
    }

    private static func message(of scope: LoadBalancingPolicy.Scope) -> Istio_Workload_LoadBalancing.Scope {
        switch scope {
        case .network: .network
        case .region: .region
        case .zone: .zone
        case .subzone: .subzone
        case .node: .node
        case .cluster: .cluster
        }
    }

    private func scope(
        _ scope: Istio_Workload_LoadBalancing.Scope, _ reader: WireReader
    ) throws(XDSError) -> LoadBalancingPolicy.Scope {
        switch scope {
        case .network: .network
        case .region: .region
        case .zone: .zone
        case .subzone: .subzone
        case .node: .node
        case .cluster: .cluster
        case .unspecifiedScope: throw reader.invalid("a load balancing scope is unspecified")
        case .UNRECOGNIZED(let value): throw reader.unsupported("load balancing scope \(value) is not known")
        }
    }
}
