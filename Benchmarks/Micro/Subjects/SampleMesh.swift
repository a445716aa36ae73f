import Addressing
import Mesh

/// A mesh of 10,000 workloads in 1,000 services, 100 namespaces and 50 nodes, the same in every run.
enum SampleMesh {
    static let workloadCount = 10_000
    static let serviceCount = 1_000
    static let namespaceCount = 100
    static let nodeCount = 50

    /// A part of the mesh that the sizes above rule out.
    struct Impossible: Error {}

    static func snapshot(policies: [AuthorizationPolicy] = []) throws -> MeshSnapshot {
        let changes =
            (0..<serviceCount).map { MeshChange.serviceUpserted(service($0)) }
            + (try (0..<workloadCount).map { MeshChange.workloadUpserted(try workload($0)) })
            + policies.map(MeshChange.policyUpserted)
        return MeshSnapshot(changes)
    }

    static func namespace(_ index: Int) -> String { "namespace-\(index % namespaceCount)" }

    static func serviceName(_ index: Int) -> NamespacedName {
        NamespacedName(namespace: namespace(index), name: "service-\(index % serviceCount)")
    }

    static func serviceAddress(_ index: Int) -> IPAddress {
        address(10 << 24 | 96 << 16, index % serviceCount)
    }

    static func workloadAddress(_ index: Int) -> IPAddress {
        address(10 << 24 | 1 << 16, index % workloadCount)
    }

    static func service(_ index: Int) -> Service {
        let name = serviceName(index)
        return Service(
            name: name, hostname: "\(name.name).\(name.namespace).svc.cluster.local",
            addresses: [IPPrefix(serviceAddress(index))], ports: [ServicePort(port: 80, name: "http")])
    }

    static func workload(_ index: Int, policies: [NamespacedName] = []) throws -> Workload {
        let name = "workload-\(index)"
        return Workload(
            uid: WorkloadUID(cluster: "Kubernetes", podNamespace: namespace(index), podName: name), name: name,
            namespace: namespace(index), serviceAccount: "account-\(index % serviceCount)",
            trustDomain: try trustDomain, node: "node-\(index % nodeCount)", addresses: [workloadAddress(index)],
            tunnelProtocol: .hbone, locality: Locality(region: "region", zone: "zone-\(index % 3)"),
            services: [serviceName(index): [PortMapping(servicePort: 80, targetPort: 8080)]], policies: policies)
    }

    static var trustDomain: TrustDomain {
        get throws {
            guard let domain = TrustDomain("cluster.local") else { throw Impossible() }
            return domain
        }
    }

    private static func address(_ base: UInt32, _ index: Int) -> IPAddress {
        IPAddress(v4: base + UInt32(truncatingIfNeeded: index))
    }
}
