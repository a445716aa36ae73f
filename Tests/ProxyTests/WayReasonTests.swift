import Addressing
import DataPlaneTestSupport
import Foundation
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing
import Transport

@testable import Proxy

@Suite struct `A way does not open` {
    @Test func `UPSTREAM_TIMEOUT if the application's host does not answer`() throws {
        var settings = ProxySettings()
        settings.connect = .milliseconds(30)
        let world = try ProxyWorld(settings: settings)
        defer { world.end() }
        try world.enrol()
        // A listener whose backlog is full drops SYNs: the connect hangs.
        let full = try world.application(backlog: 0)
        let others = try (0..<4).map { _ in try PlainSocket(tryingToReach: full.address) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        _ = try world.refusal(.inbound, .upstreamTimeout)
        withExtendedLifetime(others) {}
    }

    @Test func `UPSTREAM_TIMEOUT if the peer's agent says nothing at all`() throws {
        var settings = ProxySettings()
        settings.opening = .milliseconds(30)
        let world = try ProxyWorld(settings: settings)
        defer { world.end() }
        try world.enrol()
        // It accepts and is silent.
        let silent = try PlainListener(SocketAddress(world.address(9), MeshPorts.hbone))
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(9), 9, account: "server")))
        let client = try world.connect(to: SocketAddress(world.address(9), 8080))
        #expect(client.receiveAll().end == .reset)
        _ = try world.refusal(.outbound, .upstreamTimeout)
        withExtendedLifetime(silent) {}
    }

    @Test func `UPSTREAM_TIMEOUT if the keeper has no socket to connect with`() throws {
        var settings = ProxySettings()
        settings.connect = .milliseconds(30)
        let world = try ProxyWorld(settings: settings)
        defer { world.end() }
        try world.test.on { world.isOutOfSockets = true }
        try world.enrol()
        let plain = try world.connectInPlaintext()
        #expect(plain.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound).reason == .upstreamTimeout)
    }

    @Test func `INTERNAL if a tunnel cannot be watched`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        let client = SocketAddress(world.address(1), 40_000)
        try world.test.on {
            // epoll does not take a regular file.
            world.proxy.inboundTunnels.accept(
                TCPSocket(Descriptor(owning: open("/proc/self/exe", O_RDONLY))), as: Certificates.server.identity,
                AcceptedTunnel(
                    workload: ProxyWorld.api(2), client: ClientAddress(client), localAddress: world.address(2)))
        }
        #expect(try world.refusal(.inbound).reason == .internal)
        try world.test.on { #expect(world.proxy.inboundTunnels.count == 0) }
    }

    @Test func `DRAIN is answered with 503, so that the peer asks elsewhere`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        let full = try world.application(backlog: 0)
        let others = try (0..<4).map { _ in try PlainSocket(tryingToReach: full.address) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        try world.test.wait(for: "the CONNECT to arrive") { world.proxy.currentCount == 2 }
        try world.test.on {
            for case let stream as InboundStream in world.proxy.allConnections { stream.close(.drain, "going") }
        }
        #expect(client.receiveAll().end == .reset)
        _ = try world.refusal(.inbound, .drain)
        #expect(try world.refusal(.outbound).detail?.contains("503") == true)
        withExtendedLifetime(others) {}
    }

    @Test func `UNKNOWN_DST does not come to one that waits for the pod's record in the backlog`() throws {
        let world = try ProxyWorld(patience: .seconds(3600))
        defer { world.end() }
        try world.enrol(endpoints: [])
        try world.capture(ProxyWorld.api(2), 2)
        let listener = try world.application()
        // Peers know of the pod before its own node does: here one dials before the record comes.
        let early = try RawPeer(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        early.send(RawPeer.connect("\(world.address(2)):8080", stream: 1))
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "server")))
        _ = try listener.accept()
        try world.test.wait(for: "the connection") { world.proxy.openConnections.count == 1 }
        #expect(world.refusals.latest.isEmpty)
        withExtendedLifetime(early) {}
    }

    @Test func `UNKNOWN_DST does not come to one that meets an update with a removal and an insertion`() throws {
        let world = try ProxyWorld(patience: .seconds(3600))
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        try world.apply(.workloadRemoved(ProxyWorld.api(2)))
        let early = try RawPeer(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        early.send(RawPeer.connect("\(world.address(2)):8080", stream: 1))
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "server")))
        _ = try listener.accept()
        #expect(world.refusals.latest.isEmpty)
        withExtendedLifetime(early) {}
    }
}
