import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// Refusals that somebody wrote down; more of them are among the tests of a connection that comes to a pod.
@Suite struct `A connection is refused by policy` {
    private func allow(_ account: String, isDryRun: Bool = false) -> AuthorizationPolicy {
        var match = AuthorizationMatch()
        match.principals = [.exact(Certificates.identity(account).principal)]
        return AuthorizationPolicy(
            name: NamespacedName(namespace: "shop", name: "allow-\(account)"), scope: .namespace, action: .allow,
            rules: [AuthorizationRule(clauses: [AuthorizationClause(kind: .from, matches: [match])])],
            isDryRun: isDryRun)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `POLICY_DENY, with all that is needed to decide it again`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(policies: [.denyAll])
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        let record = try world.refusal(.inbound, .policyDeny)
        #expect(record.policy == AuthorizationPolicy.denyAll.name)
        #expect(record.snapshotVersion == world.snapshot.version)
        #expect(record.detail?.contains("shop/deny-all") == true)
        let facts = try #require(record.facts)
        #expect(
            facts
                == ConnectionFacts(
                    source: Certificates.client.identity, sourceAddress: world.address(1),
                    destinationAddress: world.address(2), destinationPort: 8080))
        let workload = try #require(world.snapshot.workload(ProxyWorld.api(2)))
        #expect(Authorizer.decide(facts, to: workload, in: world.snapshot).reason == record.reason)
        let outbound = try world.refusal(.outbound, .policyDeny)
        let question = "`meshnode explain shop/\(ProxyWorld.web) \(world.address(2)):8080`"
        #expect(outbound.detail?.contains("the destination refused it") == true)
        #expect(outbound.detail?.contains(question) == true)
        #expect(outbound.requested == SocketAddress(world.address(2), 8080))
        #expect(outbound.source.address == SocketAddress(world.address(1), 40_000))
        let tunnel = SocketAddress(world.address(2), MeshPorts.hbone)
        #expect(outbound.hboneAddress == (way == .tunnel ? tunnel : nil))
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `NO_ALLOW_MATCH if only others are allowed`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(policies: [allow("somebody")])
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound, .noAllowMatch).policy == allow("somebody").name)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `NOT_FROM_WAYPOINT if it comes around the one that its service is bound to`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let open = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        open.send([1])
        #expect(server.receive(1) == [1])
        let gateway = NamespacedName(namespace: "shop", name: "gateway")
        var service = try #require(world.snapshot.service(ProxyWorld.service))
        service.waypoint = WaypointAddress(destination: .service(gateway))
        try world.apply(.serviceUpserted(service))
        // What was open is judged again, and what comes is refused: addressed to the pod, it goes past the waypoint.
        #expect(open.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound, .policyChanged).detail?.contains("NOT_FROM_WAYPOINT") == true)
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound, .notFromWaypoint).detail?.contains("shop/gateway") == true)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `EGRESS_DENIED to the unknown, and what is open is closed when that is decided`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application(77)
        let open = try world.connect(to: listener.address)
        let server = try listener.accept()
        open.send([1])
        #expect(server.receive(1) == [1])
        try world.apply(.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(egress: .registryOnly)))
        #expect(open.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        _ = try world.refusal(.outbound, .policyChanged)
        let client = try world.connect(to: listener.address)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .egressDenied).requested == listener.address)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `POLICY_CHANGED says nothing while egress still lets it out`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application(77)
        let client = try world.connect(to: listener.address)
        let server = try listener.accept()
        var policy = NamespacePolicy(egress: .registryOnly)
        var known = world.workload(WorkloadUID("Kubernetes//Pod/shop/outside"), 77, account: "o", isEnrolled: false)
        known.services = [:]
        try world.apply(
            .workloadUpserted(known), .namespacePolicyUpserted(namespace: "shop", policy))
        client.send([1])
        #expect(server.receive(1) == [1])
        policy.egress = .allow
        try world.apply(.namespacePolicyUpserted(namespace: "shop", policy))
        client.send([2])
        #expect(server.receive(1) == [2])
        #expect(world.refusals.latest.isEmpty)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `never by a dry run, which is counted, logged and kept as a flow`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        var audit = AuthorizationPolicy.denyAll
        audit.action = .audit
        try world.enrol(policies: [audit, allow("somebody", isDryRun: true)])
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.finish()
        server.finish()
        _ = (client.receiveAll(), server.receiveAll())
        let record = try #require(try world.finishedLog().first { $0.direction == .inbound })
        #expect(record.audited == [audit.name])
        #expect(
            record.dryRun == [DryRunOutcome(policy: allow("somebody").name, effect: .wouldDeny)])
        let counted = [("none", "allow"), ("shop/deny-all", "audit"), ("shop/allow-somebody", "would-deny")]
        for (policy, decision) in counted {
            #expect(
                world.metric("meshnode_authz_total", ["policy": policy, "decision": decision]) == .integer(1),
                "\(policy) \(decision)")
        }
        let flow = try #require(world.journal.flows.latest.first)
        #expect(flow.destination == ProxyWorld.api(2))
        #expect(flow.facts == record.facts)
        #expect(flow.reason == nil)
    }
}
