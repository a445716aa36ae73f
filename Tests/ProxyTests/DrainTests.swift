import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `A worker that drains` {
    @Test(arguments: ProxyWorld.Way.allCases)
    func `tells all who asked, and honours the shorter deadline`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        var told: [Int] = []
        try world.test.on { world.proxy.drain(within: .seconds(3600)) { told.append(1) } }
        client.send([1])
        #expect(server.receive(1) == [1])
        try world.test.on {
            #expect(told.isEmpty)
            world.proxy.drain(within: .zero) { told.append(2) }
            // A longer one changes nothing.
            world.proxy.drain(within: .seconds(7200)) { told.append(3) }
        }
        #expect(client.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        try world.test.wait(for: "the end of the drain") { told == [1, 2, 3] }
        #expect(try world.finishedLog().contains { $0.reason == .drain })
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is done at once when nothing runs, without a deadline`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        var isDone = false
        try world.test.on { world.proxy.drain { isDone = true } }
        try world.test.on { #expect(isDone) }
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `lets a handshake finish that it has accepted`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let slow = try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        try world.test.wait(for: "the handshake") { world.proxy.inboundTunnels.count == 1 }
        var isDone = false
        try world.test.on { world.proxy.drain { isDone = true } }
        try world.test.on { #expect(!isDone) }
        // It gives up by itself; nothing is left then.
        slow.close()
        try world.test.wait(for: "the end of the drain") { isDone }
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `gives up handshakes at the deadline`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let slow = try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        try world.test.wait(for: "the handshake") { world.proxy.inboundTunnels.count == 1 }
        var isDone = false
        try world.test.on { world.proxy.drain(within: .zero) { isDone = true } }
        try world.test.wait(for: "the end of the drain") { isDone }
        #expect(slow.receiveAll().bytes.isEmpty)
        #expect(try world.refusal(.inbound).reason == .drain)
    }

    @Test func `leaves new connections to the next, which it does not disturb`() throws {
        let old = try ProxyWorld()
        defer { old.end() }
        let next = try ProxyWorld(beside: old)
        defer { next.end() }
        // One listener, in the hands of both, as the keeper holds it for them.
        let hbone = try PlainListener(SocketAddress(old.address(2), MeshPorts.hbone))
        let listener = try old.application()
        try old.enrol(endpoints: [])
        try old.apply(.workloadUpserted(old.workload(ProxyWorld.api(2), 2, account: "server")))
        try old.capture(ProxyWorld.api(2), 2, hbone: hbone)
        let first = try old.connect(to: SocketAddress(old.address(2), 8080))
        let firstServer = try listener.accept()

        var isDone = false
        try old.test.on { old.proxy.drain { isDone = true } }
        // Nobody accepts between the two: who comes waits in the backlog.
        let early = try RawPeer(connectedTo: SocketAddress(old.address(2), MeshPorts.hbone))
        early.send(RawPeer.connect("\(old.address(2)):8080", stream: 1))
        try next.apply(.workloadUpserted(next.workload(ProxyWorld.api(2), 2, account: "server")))
        try next.capture(ProxyWorld.api(2), 2, hbone: hbone)
        _ = try listener.accept()
        try next.test.wait(for: "the early connection") { next.proxy.openConnections.count == 1 }

        first.send([1])
        #expect(firstServer.receive(1) == [1])
        try old.test.on { #expect(!isDone) }
        first.finish()
        firstServer.finish()
        try old.test.wait(for: "the end of the drain") { isDone }
        let late = try RawPeer(connectedTo: SocketAddress(old.address(2), MeshPorts.hbone))
        late.send(RawPeer.connect("\(old.address(2)):8080", stream: 1))
        _ = try listener.accept()
        try next.test.wait(for: "the late connection") { next.proxy.openConnections.count == 2 }
        #expect(old.refusals.latest.isEmpty && next.refusals.latest.isEmpty)
        withExtendedLifetime((early, late)) {}
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `sends who still comes through its tunnels to another, and loses nobody`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try world.connect(to: SocketAddress(world.address(2), 8080))
        let firstServer = try listener.accept()
        // GOAWAY on the accepted tunnel only, as the peer of a draining worker sees it.
        try world.test.on { world.proxy.inboundTunnels.drain() }
        let second = try world.connect(to: SocketAddress(world.address(2), 8080))
        let secondServer = try listener.accept()
        for (client, server) in [(first, firstServer), (second, secondServer)] {
            client.send([1])
            #expect(server.receive(1) == [1])
        }
        #expect(world.refusals.latest.isEmpty)
    }
}
