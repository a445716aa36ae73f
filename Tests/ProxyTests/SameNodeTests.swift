import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// What is the same as through a tunnel is among the tests of the tunnel's way, which run both ways.
@Suite struct `Two pods of one node` {
    private func open(_ world: ProxyWorld, _ listener: PlainListener) throws -> (PlainSocket, PlainSocket) {
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.send([1])
        #expect(server.receive(1) == [1])
        return (client, server)
    }

    private func tunnelCount(_ world: ProxyWorld) throws -> Int { try world.test.on { world.proxy.tunnels.count } }

    @Test func `are joined without a tunnel, and asked as if there were one`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let (client, server) = try open(world, listener)
        #expect(try tunnelCount(world) == 0)
        let open = try world.test.on { world.proxy.openConnections }
        #expect(open.count == 2)
        #expect(open.allSatisfy { $0.isSameNode && $0.hboneAddress == nil && $0.security == .mutualTLS })
        let facts = open.first { $0.direction == .inbound }?.facts
        #expect(facts?.source == Certificates.client.identity)
        #expect(facts?.sourceAddress == world.address(1))
        client.finish()
        server.finish()
        _ = (client.receiveAll(), server.receiveAll())
        let log = try world.finishedLog()
        #expect(log.allSatisfy { AccessLog(format: .text).line(for: $0).contains("same_node=true") })
        #expect(world.journal.total.openedWithMutualTLS == 2)
    }

    @Test func `take the tunnel if the destination's address is not in its namespace`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        // TEST-NET-1: nobody has it here, so an ordinary socket cannot be bound to it.
        let gone = ip("192.0.2.1")
        var api = world.workload(ProxyWorld.api(2), 2, account: "server")
        api.addresses = [gone]
        try world.apply(.workloadUpserted(api))
        let client = try world.connect(to: SocketAddress(gone, 8080))
        // A loopback source cannot reach it, either, so the dial fails without a packet.
        #expect(client.receiveAll().end == .reset)
        let record = try world.refusal(.outbound)
        #expect(record.hboneAddress == SocketAddress(gone, MeshPorts.hbone))
        #expect(!record.isSameNode)
        try world.test.on { #expect(world.proxy.pod(api.uid)?.addresses.contains(gone) == false) }
    }

    @Test func `take the tunnel while the worker drains, and to a pod that it has not captured`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try open(world, listener)
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(3), 3, account: "server")))
        _ = try world.connect(to: SocketAddress(world.address(3), 8080))
        // Nobody accepts tunnels there.
        #expect(try world.refusal(.outbound, .upstreamRefused).detail?.contains("15008") == true)
        try world.test.on { world.proxy.isDraining = true }
        _ = try world.connect(to: SocketAddress(world.address(2), 8080))
        try world.test.wait(for: "the dial") { world.proxy.tunnels.count == 1 }
        withExtendedLifetime((first, listener)) {}
    }

    @Test func `take the tunnel if the keeper has no socket to look with, and it says what is wrong`() throws {
        var settings = ProxySettings()
        settings.opening = .milliseconds(50)
        let world = try ProxyWorld(.sameNode, settings: settings)
        defer { world.end() }
        try world.enrol()
        world.isOutOfSockets = true
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .upstreamTimeout)
        try world.test.on { #expect(world.proxy.currentCount == 0) }
    }

    @Test func `are cut when their trust ends: at once if revoked, else after a while`() throws {
        var settings = ProxySettings()
        settings.distrusted = .milliseconds(20)
        let world = try ProxyWorld(.sameNode, settings: settings)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try open(world, listener)
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([Certificates.server.serial])
        try world.install(bundles)
        #expect(first.0.receiveAll().end == .reset)
        #expect(first.1.receiveAll().end == .reset)
        #expect(try world.finishedLog().map(\.reason) == [.certificateRevoked, .certificateRevoked])
        bundles.replaceRevoked([])
        try world.install(bundles)
        let second = try open(world, listener)
        bundles.removeRoots(of: Certificates.mesh)
        try world.install(bundles)
        #expect(second.0.receiveAll().end == .reset)
        #expect(try world.finishedLog().map(\.reason) == [.trustDomainMismatch, .trustDomainMismatch])
    }

    @Test func `run on when their certificates are renewed or run out`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let (client, server) = try open(world, listener)
        try world.test.on {
            world.proxy.identities.remove(Certificates.client.identity)
            world.clockSkew = 3 * 86_400
            world.proxy.identitiesChanged()
        }
        client.send([2])
        #expect(server.receive(1) == [2])
    }

    @Test func `both tell why, whoever ends it`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try open(world, listener)
        try world.apply(.policyUpserted(.denyAll))
        #expect(first.0.receiveAll().end == .reset)
        #expect(first.1.receiveAll().end == .reset)
        #expect(try world.finishedLog().map(\.reason) == [.policyChanged, .policyChanged])
        try world.apply(.policyRemoved(AuthorizationPolicy.denyAll.name))
        let second = try open(world, listener)
        try world.test.on { world.proxy.shutDown() }
        #expect(second.0.receiveAll().end == .reset)
        #expect(try world.finishedLog().map(\.reason) == [.drain, .drain])
    }

    @Test func `are joined by who calls itself, and the application sees its own address`() throws {
        let world = try ProxyWorld(.sameNode)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application(1)
        let client = try world.connect(to: SocketAddress(world.address(1), 8080))
        let server = try listener.accept()
        client.send([1])
        #expect(server.receive(1) == [1])
        #expect(try tunnelCount(world) == 0)
    }
}
