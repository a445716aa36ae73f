import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `Each reason that the mesh decides` {
    private let web = pod("web", at: ["10.0.0.1"])

    private func decided(_ source: SPIFFEID?, by policies: [AuthorizationPolicy]) -> Reason? {
        Authorizer.decide(facts(from: source), policies: policies).reason
    }

    private func routed(_ destination: String, _ mesh: MeshSnapshot) -> Reason? {
        let route = Router.route(
            OriginalDestination(socketAddress(destination)), from: web, in: mesh, randomBits: 0)
        if case .refused(let reason, _) = route { return reason }
        return nil
    }

    @Test func `comes of what it is about`() {
        let client = identity("shop", "web")
        let bound = WaypointAddress(destination: .service(named("pay/gate")))
        let api = pod("api", in: "pay", at: ["10.0.0.2"], waypoint: bound)
        var world = mesh([web, api], [service("pay/api", at: ["10.96.0.1"])])
        world.apply(.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(egress: .deny)))
        let produced: [Reason?] = [
            decided(client, by: [policy(.deny, rules: [anything])]),
            decided(client, by: [policy(.allow, rules: [])]),
            decided(nil, by: [strict]),
            Authorizer.decide(facts(from: client), to: api, in: world).reason,
            routed("10.0.0.9:15008", world),
            routed("10.96.0.1:80", world),
            routed("192.0.2.1:80", world),
        ]
        #expect(
            produced == [
                .policyDeny, .noAllowMatch, .plaintextRefused, .notFromWaypoint, .selfCall, .noHealthyUpstream,
                .egressDenied,
            ])
    }
}
