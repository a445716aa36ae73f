import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `A route` {
    let web = pod("web", at: ["10.0.0.1", "fd00::1"])

    func route(
        _ destination: String, in mesh: MeshSnapshot, random: UInt64 = 1, excluding: Set<WorkloadUID> = []
    ) -> Route {
        Router.route(
            OriginalDestination(socketAddress(destination)), from: web, in: mesh, randomBits: random,
            excluding: excluding)
    }

    func tunnel(_ destination: String, in mesh: MeshSnapshot) throws -> TunnelRoute {
        guard case .tunnel(let route) = route(destination, in: mesh) else {
            throw Unexpected(route: "\(route(destination, in: mesh))")
        }
        return route
    }

    func plaintext(_ destination: String, in mesh: MeshSnapshot) throws -> PlaintextRoute {
        guard case .plaintext(let route) = route(destination, in: mesh) else {
            throw Unexpected(route: "\(route(destination, in: mesh))")
        }
        return route
    }

    struct Unexpected: Error { let route: String }

    func refusal(_ destination: String, in mesh: MeshSnapshot, excluding: Set<WorkloadUID> = []) -> Reason? {
        if case .refused(let reason, _) = route(destination, in: mesh, excluding: excluding) { reason } else { nil }
    }

    @Test func `to an enrolled pod's address is a tunnel to that pod`() throws {
        let mesh = mesh([web, pod("api", in: "pay", at: ["10.0.0.2"], account: "api", node: "node-b")])
        let route = try tunnel("10.0.0.2:8080", in: mesh)
        #expect(route.address.address == socketAddress("10.0.0.2:15008"))
        #expect(route.authority == .address(socketAddress("10.0.0.2:8080")))
        #expect(route.acceptedIdentities == [identity("pay", "api")])
        #expect(route.application.address == socketAddress("10.0.0.2:8080"))
        #expect(route.service == nil)
        #expect(!route.isSameNode)
        #expect(!route.isToWaypoint)
    }

    @Test func `knows a peer on its own node`() throws {
        let mesh = mesh([pod("api", at: ["10.0.0.2"])])
        #expect(try tunnel("10.0.0.2:80", in: mesh).isSameNode)
        #expect(try tunnel("10.0.0.2:80", in: mesh).joinableApplication == socketAddress("10.0.0.2:80"))
        #expect(try tunnel("10.0.0.2:80", in: mesh).nodeNote.contains("without a tunnel"))
    }

    @Test func `to a peer on another node, or by a waypoint, is not the agent's to join`() throws {
        let far = mesh([pod("api", at: ["10.0.0.2"], node: "node-b")])
        #expect(try tunnel("10.0.0.2:80", in: far).joinableApplication == nil)
        #expect(try tunnel("10.0.0.2:80", in: far).nodeNote.isEmpty)
        var bound = pod("api", at: ["10.0.0.2"])
        bound.waypoint = WaypointAddress(destination: .address(ip("10.0.0.9")))
        let near = mesh([bound, pod("gateway", at: ["10.0.0.9"])])
        let route = try tunnel("10.0.0.2:80", in: near)
        #expect(route.isToWaypoint && route.isSameNode)
        #expect(route.joinableApplication == nil)
        #expect(route.nodeNote == ", on this node")
    }

    @Test func `to a service leads to the endpoint's own target port`() throws {
        let api = endpoint(pod("api", in: "pay", at: ["10.0.0.2"], account: "api"), of: "pay/api", target: 9090)
        let mesh = mesh([api], [service("pay/api", at: ["10.96.0.1"], alternateNames: [identity("pay", "old")])])
        let route = try tunnel("10.96.0.1:80", in: mesh)
        #expect(route.endpoint == api)
        #expect(route.authority == .address(socketAddress("10.0.0.2:9090")))
        #expect(route.application.address == socketAddress("10.0.0.2:9090"))
        #expect(route.service == named("pay/api"))
        #expect(route.acceptedIdentities == [identity("pay", "api"), identity("pay", "old")])
    }

    @Test func `takes named target ports per endpoint`() throws {
        let one = endpoint(pod("one", at: ["10.0.0.2"]), of: "pay/api", target: 1001)
        let two = endpoint(pod("two", at: ["10.0.0.3"]), of: "pay/api", target: 1002)
        let mesh = mesh([one, two], [service("pay/api", at: ["10.96.0.1"])])
        for random in 0..<50 {
            guard case .tunnel(let route) = route("10.96.0.1:80", in: mesh, random: UInt64(random)) else {
                Issue.record("no tunnel")
                return
            }
            #expect(route.application.address.port == (route.endpoint.name == "one" ? 1001 : 1002))
        }
    }

    @Test func `keeps the client's family where the endpoint has it`() throws {
        let both = endpoint(pod("both", at: ["10.0.0.2", "fd00::2"]), of: "pay/api")
        let dual = mesh([both], [service("pay/api", at: ["10.96.0.1", "fd96::1"])])
        #expect(try tunnel("[fd96::1]:80", in: dual).address.address == socketAddress("[fd00::2]:15008"))
        #expect(try tunnel("10.96.0.1:80", in: dual).address.address == socketAddress("10.0.0.2:15008"))
        let only4 = endpoint(pod("four", at: ["10.0.0.2"]), of: "pay/api")
        let single = mesh([only4], [service("pay/api", at: ["fd96::1"])])
        #expect(try tunnel("[fd96::1]:80", in: single).address.address == socketAddress("10.0.0.2:15008"))
    }

    @Test func `looks for a service before a workload`() throws {
        let squatter = pod("squatter", at: ["10.96.0.1"])
        let api = endpoint(pod("api", at: ["10.0.0.2"]), of: "pay/api")
        let mesh = mesh([squatter, api], [service("pay/api", at: ["10.96.0.1"])])
        #expect(try tunnel("10.96.0.1:80", in: mesh).endpoint.name == "api")
    }

    @Test func `to a headless service's pod is one to the pod`() throws {
        let mesh = mesh([endpoint(pod("db", at: ["10.0.0.2"]), of: "pay/db")], [service("pay/db")])
        let route = try tunnel("10.0.0.2:5432", in: mesh)
        #expect(route.service == nil)
        #expect(route.application.address.port == 5432)
    }

    @Test func `to a service without endpoints is refused and never passes through`() {
        let mesh = mesh([], [service("pay/api", at: ["10.96.0.1", "10.97.0.0/16"])])
        #expect(
            route("10.96.0.1:80", in: mesh)
                == .refused(.noHealthyUpstream, detail: "service pay/api has no endpoint"))
        #expect(refusal("10.97.3.4:80", in: mesh) == .noHealthyUpstream)
    }

    @Test func `to a port that the service does not have is refused`() {
        let api = endpoint(pod("api", at: ["10.0.0.2"]), of: "pay/api")
        let mesh = mesh([api], [service("pay/api", at: ["10.96.0.1"], ports: [80, 443])])
        #expect(
            route("10.96.0.1:81", in: mesh)
                == .refused(.noHealthyUpstream, detail: "service pay/api has no port 81 (it has 80, 443)"))
    }

    @Test func `says why no endpoint is usable`() {
        let pods = [
            endpoint(pod("sick", at: ["10.0.0.2"], healthy: false), of: "pay/api"),
            endpoint(pod("mute", at: ["10.0.0.3"]), of: "pay/api", port: 443),
            endpoint(pod("lost"), of: "pay/api"),
            endpoint(pod("tried", at: ["10.0.0.4"]), of: "pay/api"),
        ]
        let mesh = mesh(pods, [service("pay/api", at: ["10.96.0.1"])])
        #expect(
            route("10.96.0.1:80", in: mesh, excluding: [pods[3].uid])
                == .refused(
                    .noHealthyUpstream,
                    detail: "service pay/api has 4 endpoints, none usable: 1 not ready, 1 not serving port 80, "
                        + "1 without an address, 1 tried in vain"))
    }

    @Test func `of a retry goes to another endpoint`() throws {
        let one = endpoint(pod("one", at: ["10.0.0.2"]), of: "pay/api")
        let two = endpoint(pod("two", at: ["10.0.0.3"]), of: "pay/api")
        let mesh = mesh([one, two], [service("pay/api", at: ["10.96.0.1"])])
        for random in 0..<50 {
            guard
                case .tunnel(let route) = route("10.96.0.1:80", in: mesh, random: UInt64(random), excluding: [one.uid])
            else {
                Issue.record("no tunnel")
                return
            }
            #expect(route.endpoint == two)
        }
        #expect(refusal("10.96.0.1:80", in: mesh, excluding: [one.uid, two.uid]) == .noHealthyUpstream)
    }

    @Test func `to who does not take part is plaintext and says so`() throws {
        let old = pod("old", at: ["10.0.0.2"], enrolled: false)
        let host = endpoint(pod("host", at: ["192.0.2.1"], hostNetwork: true), of: "kube/api", target: 6443)
        let mesh = mesh([old, host], [service("kube/api", at: ["10.96.0.1"], ports: [80])])
        let direct = try plaintext("10.0.0.2:80", in: mesh)
        #expect(direct.cause == .notEnrolled)
        #expect(direct.workload == old)
        let behind = try plaintext("10.96.0.1:80", in: mesh)
        #expect(behind.cause == .hostNetwork)
        #expect(behind.address.address == socketAddress("192.0.2.1:6443"))
        #expect(behind.service == named("kube/api"))
        let unknown = try plaintext("203.0.113.5:443", in: mesh)
        #expect(unknown.cause == .unknownDestination)
        #expect(unknown.workload == nil)
        #expect(unknown.address.address == socketAddress("203.0.113.5:443"))
    }

    @Test(arguments: [EgressMode.registryOnly, .deny])
    func `to the unknown follows the egress mode`(mode: EgressMode) throws {
        var mesh = mesh([
            pod("old", at: ["10.0.0.2"], enrolled: false), pod("vm", at: ["10.9.0.1"], node: "", enrolled: false),
        ])
        mesh.apply(.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(egress: mode)))
        #expect(refusal("203.0.113.5:443", in: mesh) == .egressDenied)
        #expect(try plaintext("10.0.0.2:80", in: mesh).cause == .notEnrolled)
        #expect(refusal("10.9.0.1:80", in: mesh) == (mode == .deny ? .egressDenied : nil))
    }

    @Test(arguments: [15001, 15006, 15008, 15053] as [UInt16])
    func `to a port of the mesh itself is refused`(port: UInt16) {
        let api = endpoint(pod("api", at: ["10.0.0.2"]), of: "pay/api", target: port)
        let mesh = mesh([api], [service("pay/api", at: ["10.96.0.1"], ports: [80, port])])
        #expect(refusal("10.0.0.2:\(port)", in: mesh) == .selfCall)
        #expect(refusal("10.96.0.1:\(port)", in: mesh) == .selfCall)
        #expect(refusal("10.96.0.1:80", in: mesh) == .selfCall)
        #expect(refusal("203.0.113.1:\(port)", in: mesh) == .selfCall)
    }

    @Test func `does not tunnel to a host-network endpoint although it says HBONE`() throws {
        let host = endpoint(pod("host", at: ["192.0.2.1"], hostNetwork: true), of: "a/b")
        #expect(
            try plaintext("10.96.0.1:80", in: mesh([host], [service("a/b", at: ["10.96.0.1"])])).cause == .hostNetwork)
    }

    @Test func `is the same for the same arguments`() {
        let pods = (2..<40).map { endpoint(pod("p\($0)", at: ["10.0.0.\($0)"]), of: "pay/api") }
        let services = [service("pay/api", at: ["10.96.0.1"])]
        for random in 0..<100 as Range<UInt64> {
            #expect(
                route("10.96.0.1:80", in: mesh(pods, services), random: random)
                    == route("10.96.0.1:80", in: mesh(pods.reversed(), services), random: random))
        }
    }
}

@Suite struct `A route by waypoint` {
    let web = pod("web", at: ["10.0.0.1"])
    let bound = WaypointAddress(destination: .service(named("pay/waypoint")))
    var waypoint: Workload {
        endpoint(
            pod("wp", in: "pay", at: ["10.0.0.7"], account: "waypoint"), of: "pay/waypoint", port: 15008, target: 15008)
    }
    var services: [Service] {
        [
            service("pay/waypoint", at: ["10.96.0.7"], ports: [15008]),
            service("pay/api", at: ["10.96.0.1"], waypoint: bound),
        ]
    }
    var api: Workload {
        endpoint(pod("api", in: "pay", at: ["10.0.0.2"], account: "api", waypoint: bound), of: "pay/api")
    }

    func route(_ destination: String, from source: Workload, in mesh: MeshSnapshot) -> Route {
        Router.route(OriginalDestination(socketAddress(destination)), from: source, in: mesh, randomBits: 3)
    }

    @Test(arguments: ["10.96.0.1:80", "10.0.0.2:8080"])
    func `keeps what the client asked for as the authority`(destination: String) {
        guard case .tunnel(let route) = route(destination, from: web, in: mesh([waypoint, api], services)) else {
            Issue.record("no tunnel")
            return
        }
        #expect(route.isToWaypoint)
        #expect(route.authority == .address(socketAddress(destination)))
        #expect(route.address.address == socketAddress("10.0.0.7:15008"))
        #expect(route.acceptedIdentities == [identity("pay", "waypoint")])
    }

    @Test func `is not taken again by the waypoint itself`() {
        guard case .tunnel(let route) = route("10.96.0.1:80", from: waypoint, in: mesh([waypoint, api], services))
        else {
            Issue.record("no tunnel")
            return
        }
        #expect(!route.isToWaypoint)
        #expect(route.endpoint.name == "api")
    }

    @Test func `is refused when the waypoint is gone, never around it`() {
        for mesh in [mesh([api], services), mesh([api], [services[1]])] {
            for destination in ["10.96.0.1:80", "10.0.0.2:8080"] {
                guard case .refused(let reason, let detail) = route(destination, from: web, in: mesh) else {
                    Issue.record("not refused")
                    continue
                }
                #expect(reason == .noHealthyUpstream)
                #expect(detail.contains("waypoint"))
            }
        }
    }
}
