import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `The explanation of a route` {
    private let web = pod("web", at: ["10.0.0.1"])

    private func explain(_ destination: String, _ mesh: MeshSnapshot) -> RouteExplanation {
        RouteExplanation(
            OriginalDestination(socketAddress(destination)), from: web, in: mesh, randomBits: 1)
    }

    @Test func `goes the way that the router goes, and names service and endpoints`() {
        let mesh = mesh(
            [
                web, endpoint(pod("a", in: "pay", at: ["10.0.0.2"], node: "n2"), of: "pay/api"),
                endpoint(pod("b", in: "pay", at: ["10.0.0.3"], healthy: false), of: "pay/api"),
                endpoint(pod("c", in: "pay", at: ["10.0.0.4"]), of: "pay/api", port: 81),
            ], [service("pay/api", at: ["10.96.0.1"])])
        let explanation = explain("10.96.0.1:80", mesh)
        #expect(
            explanation.route
                == Router.route(
                    OriginalDestination(socketAddress("10.96.0.1:80")), from: web, in: mesh, randomBits: 1))
        #expect(explanation.target == .service(named("pay/api"), port: 80))
        #expect(
            explanation.lines == [
                "service pay/api port 80",
                "  endpoint Kubernetes//Pod/pay/a: chosen",
                "  endpoint Kubernetes//Pod/pay/b: not ready",
                "  endpoint Kubernetes//Pod/pay/c: not serving the port",
                "HBONE to 10.0.0.2:15008 for 10.0.0.2:8080: Kubernetes//Pod/pay/a is in the mesh",
            ])
    }

    @Test func `says why it is plaintext`() {
        let mesh = mesh([web, pod("old", at: ["10.0.0.5"], enrolled: false)])
        #expect(
            explain("10.0.0.5:80", mesh).lines == [
                "workload Kubernetes//Pod/shop/old",
                "plaintext to 10.0.0.5:80: Kubernetes//Pod/shop/old is not in the mesh",
            ])
        #expect(
            explain("192.0.2.1:80", mesh).lines == [
                "nobody in the mesh has the address; egress is allow",
                "plaintext to 192.0.2.1:80: nobody in the mesh has the address",
            ])
    }

    @Test func `says why it is refused`() {
        var mesh = mesh([web], [service("pay/api", at: ["10.96.0.1"])])
        mesh.apply(.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(egress: .registryOnly)))
        #expect(explain("192.0.2.1:80", mesh).target == .unknown(.registryOnly))
        #expect(
            explain("192.0.2.1:80", mesh).lines.last
                == "refused, EGRESS_DENIED: 192.0.2.1:80 is not in the mesh, and namespace shop has egress registryOnly"
        )
        #expect(
            explain("10.96.0.1:80", mesh).lines == [
                "service pay/api port 80", "refused, NO_HEALTHY_UPSTREAM: service pay/api has no endpoint",
            ])
        #expect(explain("10.96.0.1:81", mesh).lines.last?.contains("has no port 81") == true)
    }

    @Test func `names the waypoint and whom of it was chosen`() {
        let gate = endpoint(
            pod("gate-1", in: "pay", at: ["10.0.0.9"], node: "node-a"), of: "pay/gate", port: 15008, target: 15008)
        let bound = WaypointAddress(destination: .service(named("pay/gate")))
        let mesh = mesh(
            [web, gate, pod("api", in: "pay", at: ["10.0.0.2"], waypoint: bound)],
            [service("pay/gate", ports: [15008])])
        #expect(
            explain("10.0.0.2:80", mesh).lines == [
                "workload Kubernetes//Pod/pay/api", "bound to waypoint pay/gate",
                "  endpoint Kubernetes//Pod/pay/gate-1: chosen",
                "HBONE to 10.0.0.9:15008 for 10.0.0.2:80, the waypoint, on this node: the destination is bound to it",
            ])
    }
}
