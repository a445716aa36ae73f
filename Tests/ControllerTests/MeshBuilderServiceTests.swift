import Addressing
import Mesh
import Resources
import TestSupport
import Testing

@testable import Controller

@Suite struct `The builder makes of services` {
    private let ports = "ports: [{name: http-web, port: 80, targetPort: web}, {name: raw, port: 81, targetPort: 8081}]"

    private func slice(_ name: String, service: String, _ rest: String) -> String {
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: \(name), namespace: a, labels: {kubernetes.io/service-name: \(service)}}, \(rest)}\n---\n"
    }

    private func container(_ port: Int) -> String { "containers: [{ports: [{name: web, containerPort: \(port)}]}]" }

    @Test func `names, addresses and ports`() throws {
        let mesh = build(
            serviceText("a/api", "clusterIPs: [10.96.0.1, 'fd96::1'], sessionAffinity: ClientIP, \(ports)"))
        let service = try #require(mesh.service("a/api"))
        #expect(service.hostname == "api.a.svc.cluster.local")
        #expect(service.addresses == [IPPrefix(ip("10.96.0.1")), IPPrefix(ip("fd96::1"))])
        #expect(
            service.ports == [.init(port: 80, name: "http-web", appProtocol: "http"), .init(port: 81, name: "raw")])
        #expect(service.hasClientAffinity)
        #expect(service.loadBalancing == LoadBalancingPolicy())
    }

    @Test(arguments: [
        ("internalTrafficPolicy: Local", LoadBalancingPolicy(mode: .strict, scopes: [.node])),
        ("trafficDistribution: PreferClose", .init(mode: .failover, scopes: [.network, .region, .zone])),
        (
            "trafficDistribution: PreferSameNode",
            .init(mode: .failover, scopes: [.network, .region, .zone, .subzone, .node])
        ),
    ])
    func `preferences among endpoints`(spec: String, policy: LoadBalancingPolicy) throws {
        #expect(try #require(build(serviceText("a/api", spec)).service("a/api")).loadBalancing == policy)
    }

    @Test func `nothing if they are DNS aliases`() {
        #expect(build(serviceText("a/api", "type: ExternalName, externalName: example.com")).state == MeshState())
    }

    @Test func `endpoints by selector, a named port resolved per pod`() throws {
        let mesh = build(
            serviceText("a/api", "selector: {app: api}, \(ports)")
                + podText("a/p", ip: "10.0.0.1", labels: "app: api, x: y", spec: container(8080))
                + podText("a/q", ip: "10.0.0.2", labels: "app: api", spec: container(9090))
                + podText("a/unnamed", ip: "10.0.0.3", labels: "app: api")
                + podText("a/other", ip: "10.0.0.4", labels: "app: web")
                + podText("b/p", ip: "10.0.0.5", labels: "app: api"))
        func mappings(_ pod: String) throws -> [PortMapping]? {
            try #require(mesh.pod(pod)).services[mesh.name("a/api")]
        }
        #expect(
            try mappings("a/p") == [.init(servicePort: 80, targetPort: 8080), .init(servicePort: 81, targetPort: 8081)])
        #expect(
            try mappings("a/q") == [.init(servicePort: 80, targetPort: 9090), .init(servicePort: 81, targetPort: 8081)])
        #expect(try mappings("a/unnamed") == [.init(servicePort: 81, targetPort: 8081)])
        #expect(try mappings("a/other") == nil)
        #expect(try mappings("b/p") == nil)
    }

    @Test func `no endpoints when they select none, and are known all the same`() {
        let mesh = build(serviceText("a/api", "clusterIP: 10.96.0.1, \(ports)") + podText("a/p", ip: "10.0.0.1"))
        #expect(mesh.service("a/api") != nil)
        #expect(mesh.pod("a/p")?.services == [:])
    }

    @Test func `endpoints from slices, which win over the selector`() throws {
        let mesh = build(
            serviceText("a/api", "selector: {app: api}, \(ports)")
                + slice(
                    "api-1", service: "api",
                    "ports: [{name: http-web, port: 8080}, {name: raw, port: 8081}], endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: p}}, {addresses: [10.0.0.2], conditions: {ready: false}, targetRef: {kind: Pod, name: q}}]"
                )
                + slice(
                    "api-2", service: "api",
                    "ports: [{name: raw, port: 8081}], endpoints: [{addresses: ['fd00::1'], targetRef: {kind: Pod, name: p}}]"
                )
                + podText("a/p", ip: "10.0.0.1", status: "podIPs: [{ip: 'fd00::1'}]") + podText("a/q", ip: "10.0.0.2")
                + podText("a/selected", ip: "10.0.0.3", labels: "app: api"))
        let all: [PortMapping] = [.init(servicePort: 80, targetPort: 8080), .init(servicePort: 81, targetPort: 8081)]
        #expect(try #require(mesh.pod("a/p")).services == [mesh.name("a/api"): all])
        #expect(try #require(mesh.pod("a/q")).services == [:])
        #expect(try #require(mesh.pod("a/selected")).services == [:])
    }

    @Test func `endpoints that are not ready, if they publish those`() throws {
        let text =
            serviceText("a/api", "publishNotReadyAddresses: true, ports: [{port: 80}]")
            + slice(
                "api-1", service: "api",
                "ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}]")
            + podText("a/p", ip: "10.0.0.1")
        let mesh = build(text)
        #expect(try #require(mesh.service("a/api")).publishesNotReady)
        #expect(mesh.pod("a/p")?.services == [mesh.name("a/api"): [.init(servicePort: 80, targetPort: 8080)]])
    }

    @Test func `no endpoint of a slice that names a pod by an address it does not have`() {
        let mesh = build(
            serviceText("a/api", "ports: [{port: 80}]")
                + slice(
                    "api-1", service: "api",
                    "ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.2], targetRef: {kind: Pod, name: p}}, {addresses: [10.0.0.2], targetRef: {kind: Pod, name: gone}}]"
                )
                + podText("a/p", ip: "10.0.0.1") + podText("a/q", ip: "10.0.0.2"))
        #expect(mesh.state.workloads.values.allSatisfy { $0.services.isEmpty })
        #expect(mesh.state.workloads.count == 2)
    }

    @Test func `plain workloads of endpoints that are no pods`() throws {
        let mesh = build(
            serviceText("a/db", "ports: [{port: 5432}]")
                + slice(
                    "db-1", service: "db", "ports: [{port: 5432}], endpoints: [{addresses: [192.0.2.7], nodeName: n1}]")
        )
        let workload = try #require(mesh.state.workloads.values.first)
        #expect(workload.uid.text == "Kubernetes/discovery.k8s.io/EndpointSlice/a/db-1/192.0.2.7")
        #expect(!workload.isEnrolled)
        #expect(workload.services == [mesh.name("a/db"): [.init(servicePort: 5432, targetPort: 5432)]])
    }
}
