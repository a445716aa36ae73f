import Addressing
import Mesh
import TestSupport

let clusterLocal = TrustDomain("cluster.local")!

func pod(
    _ name: String, in namespace: String = "shop", at addresses: [String] = [], account: String = "default",
    node: String = "node-a", enrolled: Bool = true, hostNetwork: Bool = false, healthy: Bool = true,
    zone: String = "", serving services: [NamespacedName: [PortMapping]] = [:], policies: [NamespacedName] = [],
    waypoint: WaypointAddress? = nil, capacity: UInt32 = 1
) -> Workload {
    Workload(
        uid: WorkloadUID(cluster: "Kubernetes", podNamespace: namespace, podName: name), name: name,
        namespace: namespace, serviceAccount: account, trustDomain: clusterLocal, node: node,
        addresses: addresses.map(ip), isHostNetwork: hostNetwork, tunnelProtocol: enrolled ? .hbone : .none,
        isHealthy: healthy, locality: Locality(region: "r", zone: zone), services: services, policies: policies,
        waypoint: waypoint, capacity: capacity)
}

func named(_ text: String) -> NamespacedName {
    let parts = text.split(separator: "/")
    return NamespacedName(namespace: String(parts[0]), name: String(parts[1]))
}

func service(
    _ name: String, at addresses: [String] = [], ports: [UInt16] = [80], waypoint: WaypointAddress? = nil,
    balancing: LoadBalancingPolicy = LoadBalancingPolicy(), notReady: Bool = false, affinity: Bool = false,
    alternateNames: [SPIFFEID] = []
) -> Service {
    let name = named(name)
    return Service(
        name: name, hostname: "\(name.name).\(name.namespace).svc.cluster.local",
        addresses: addresses.map { IPPrefix($0)! }, ports: ports.map { ServicePort(port: $0) },
        subjectAltNames: alternateNames, waypoint: waypoint, loadBalancing: balancing, publishesNotReady: notReady,
        hasClientAffinity: affinity)
}

/// An endpoint of `name` that serves service port 80 on `target`.
func endpoint(
    _ pod: Workload, of name: String, port: UInt16 = 80, target: UInt16 = 8080
) -> Workload {
    var pod = pod
    pod.services[named(name), default: []].append(PortMapping(servicePort: port, targetPort: target))
    return pod
}

func mesh(
    _ workloads: [Workload] = [], _ services: [Service] = [], _ policies: [AuthorizationPolicy] = []
) -> MeshSnapshot {
    MeshSnapshot(
        workloads.map(MeshChange.workloadUpserted) + services.map(MeshChange.serviceUpserted)
            + policies.map(MeshChange.policyUpserted))
}

func identity(_ namespace: String, _ account: String, in domain: String = "cluster.local") -> SPIFFEID {
    SPIFFEID(trustDomain: TrustDomain(domain)!, namespace: namespace, serviceAccount: account)
}

/// SplitMix64: the same sequence from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        defer { state &+= 0x9e37_79b9_7f4a_7c15 }
        return StableHash.mixed(state)
    }
}
