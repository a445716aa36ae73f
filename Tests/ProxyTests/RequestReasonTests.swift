import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `A CONNECT is refused` {
    private func peer(of world: ProxyWorld) throws -> RawPeer {
        try world.enrol()
        return try RawPeer(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
    }

    @Test func `NOT_CONNECT if it is another request`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        let peer = try peer(of: world)
        peer.send(
            RawPeer.request(
                [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "api")], stream: 1,
                ends: true))
        let record = try world.refusal(.inbound, .notConnect)
        #expect(record.source.identity == Certificates.client.identity)
        #expect(record.security == .mutualTLS)
    }

    @Test func `BAD_AUTHORITY if it does not name an address`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        let peer = try peer(of: world)
        peer.send(RawPeer.connect("api.shop.svc.cluster.local:8080", stream: 1))
        _ = try world.refusal(.inbound, .badAuthority)
        peer.send(RawPeer.connect("\(world.address(2)):65536", stream: 3))
        try world.test.wait(for: "the second refusal") { world.refusals.latest.count == 2 }
        #expect(world.refusals.latest.allSatisfy { $0.reason == .badAuthority })
        #expect(world.journal.total.denied == 2)
    }

    @Test func `DST_MISMATCH if it names another pod`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        let peer = try peer(of: world)
        peer.send(RawPeer.connect("\(world.address(3)):8080", stream: 1))
        #expect(try world.refusal(.inbound, .destinationMismatch).destination.workload == ProxyWorld.api(2))
    }

    @Test func `SELF_CALL if it names a port of the mesh`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        let peer = try peer(of: world)
        peer.send(RawPeer.connect("\(world.address(2)):15008", stream: 1))
        _ = try world.refusal(.inbound, .selfCall)
    }
}

@Suite struct `A peer that abuses HTTP/2` {
    @Test func `H2_ABUSE is cut, logged and counted by kind`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        let peer = try RawPeer(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        peer.send((0..<2000).flatMap { _ in RawPeer.frame(6, [0, 0, 0, 0, 0, 0, 0, 0]) })
        let record = try world.refusal(.inbound, .h2Abuse)
        #expect(record.source.identity == Certificates.client.identity)
        #expect(record.detail?.hasPrefix("ping: ") == true)
        #expect(world.metric("meshnode_h2_abuse_total", ["kind": "ping"]) == .integer(1))
        try world.test.wait(for: "the tunnel to end") { world.proxy.inboundTunnels.count == 0 }
    }

    @Test func `has one budget of resets over all its tunnels`() throws {
        var settings = ProxySettings()
        settings.resetBurst = 600
        settings.resetsPerSecond = 0
        let world = try ProxyWorld(settings: settings)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let address = SocketAddress(world.address(2), MeshPorts.hbone)
        func resets(_ range: Range<UInt32>) -> [UInt8] {
            range.map { $0 * 2 + 1 }.flatMap { stream in
                RawPeer.connect("\(world.address(2)):8080", stream: stream) + RawPeer.reset(stream: stream)
            }
        }
        let first = try RawPeer(connectedTo: address)
        first.send(resets(0..<256))
        try world.test.wait(for: "the resets") { world.refusals.latest.count == 256 && world.proxy.currentCount == 0 }
        #expect(world.metric("meshnode_h2_abuse_total", ["kind": "rapid_reset"]) == .integer(0))
        // Another tunnel of the same identity finds what is left of it, and no more.
        let second = try RawPeer(connectedTo: address)
        second.send(resets(0..<550))
        try world.test.wait(for: "the end of the second tunnel") {
            world.metric("meshnode_h2_abuse_total", ["kind": "rapid_reset"]) == .integer(1)
        }
        withExtendedLifetime((first, listener)) {}
    }
}
