import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `Only from my waypoint` {
    private let gate = endpoint(
        pod("gate-1", in: "pay", at: ["10.0.0.9"], account: "gate"), of: "pay/gate", port: 15008, target: 15008)
    private let bound = WaypointAddress(destination: .service(named("pay/gate")))

    /// `api` serves pay/api (bound, 80 on 8080) and pay/raw (not bound, 81 on 9090).
    private func world(
        _ change: (inout Workload) -> Void = { _ in }, gate isThere: Bool = true
    ) -> (Workload, MeshSnapshot) {
        var api = endpoint(pod("api", in: "pay", at: ["10.0.0.2"]), of: "pay/api")
        api = endpoint(api, of: "pay/raw", port: 81, target: 9090)
        change(&api)
        let services = [
            service("pay/api", at: ["10.96.0.1"], waypoint: bound), service("pay/raw", at: ["10.96.0.2"], ports: [81]),
            service("pay/gate", at: ["10.96.0.3"], ports: [15008]),
        ]
        return (api, mesh(isThere ? [api, gate] : [api], services))
    }

    private func reason(_ source: SPIFFEID?, _ port: UInt16, _ world: (Workload, MeshSnapshot)) -> Reason? {
        Authorizer.decide(facts(from: source, to: "10.0.0.2:\(port)"), to: world.0, in: world.1).reason
    }

    private let client = identity("shop", "web")

    @Test func `holds on the target ports of bound services and on no other`() {
        let world = world()
        #expect(reason(identity("pay", "gate"), 8080, world) == nil)
        #expect(reason(client, 8080, world) == .notFromWaypoint)
        #expect(reason(nil, 8080, world) == .notFromWaypoint)
        #expect(reason(identity("pay", "gate", in: "other.org"), 8080, world) == .notFromWaypoint)
        #expect(reason(client, 80, world) == nil)
        #expect(reason(client, 9090, world) == nil)
        #expect(reason(nil, 9090, world) == nil)
    }

    @Test func `holds on every port of a bound pod, where the waypoint of a service will do too`() {
        let other = WaypointAddress(destination: .address(ip("10.0.0.8")))
        var (api, mesh) = world { $0.waypoint = other }
        mesh.apply(.workloadUpserted(pod("gate-2", in: "pay", at: ["10.0.0.8"], account: "inner")))
        #expect(reason(identity("pay", "inner"), 9090, (api, mesh)) == nil)
        #expect(reason(identity("pay", "inner"), 8080, (api, mesh)) == nil)
        #expect(reason(identity("pay", "gate"), 8080, (api, mesh)) == nil)
        #expect(reason(identity("pay", "gate"), 9090, (api, mesh)) == .notFromWaypoint)
        #expect(reason(client, 22, (api, mesh)) == .notFromWaypoint)
        api.waypoint = nil
        #expect(reason(client, 22, (api, mesh)) == nil)
    }

    @Test func `refuses everyone while nobody knows the waypoint`() {
        let world = world(gate: false)
        #expect(reason(identity("pay", "gate"), 8080, world) == .notFromWaypoint)
        let verdict = Authorizer.decide(facts(to: "10.0.0.2:8080"), to: world.0, in: world.1)
        #expect(
            verdict.summary
                == "denied, NOT_FROM_WAYPOINT: cluster.local/ns/shop/sa/web is not waypoint pay/gate, which has no endpoint"
        )
    }

    @Test func `accepts the names that the waypoint's service may have besides`() {
        var (api, mesh) = world()
        mesh.apply(
            .serviceUpserted(service("pay/gate", ports: [15008], alternateNames: [identity("pay", "elder")])))
        #expect(reason(identity("pay", "elder"), 8080, (api, mesh)) == nil)
        api.services = [:]
        #expect(reason(client, 8080, (api, mesh)) == nil)
    }

    @Test func `knows exceptions by port and by service account`() {
        let world = world {
            $0.waypoint = bound
            $0.waypointExceptions = WaypointExceptions(ports: [9090], serviceAccounts: [named("pay/db")])
        }
        #expect(reason(nil, 9090, world) == nil)
        #expect(reason(identity("pay", "db"), 8080, world) == nil)
        #expect(reason(identity("pay", "db", in: "other.org"), 8080, world) == .notFromWaypoint)
        #expect(reason(client, 8080, world) == .notFromWaypoint)
    }

    @Test func `does not put a waypoint behind itself`() {
        let (_, mesh) = world()
        var gate = gate
        gate.waypoint = bound
        let verdict = Authorizer.decide(facts(to: "10.0.0.9:15020"), to: gate, in: mesh)
        #expect(verdict.isAllowed)
    }

    @Test func `lets policies decide about what the waypoint sends, and audits the rest`() {
        var (api, mesh) = world { $0.policies = [named("pay/a"), named("pay/d")] }
        mesh.apply(.policyUpserted(policy("pay/a", .audit, rules: [anything])))
        mesh.apply(.policyUpserted(policy("pay/d", .deny, rules: [anything])))
        #expect(reason(identity("pay", "gate"), 8080, (api, mesh)) == .policyDeny)
        let around = Authorizer.decide(facts(to: "10.0.0.2:8080"), to: api, in: mesh)
        #expect(around.reason == .notFromWaypoint)
        #expect(around.audited == [named("pay/a")])
        api.policies = []
        #expect(reason(identity("pay", "gate"), 8080, (api, mesh)) == nil)
    }
}
