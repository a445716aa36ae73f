import Addressing
import DataPlaneTestSupport
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing
import Transport

@testable import Proxy

@Suite struct `A connection that leaves a pod` {
    @Test(arguments: ProxyWorld.Way.allCases)
    func `reaches the application through a tunnel, and both reporters count the same bytes`(way: ProxyWorld.Way) throws
    {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.send([UInt8](repeating: 1, count: 1000))
        #expect(server.receive(1000).count == 1000)
        server.send([UInt8](repeating: 2, count: 30))
        #expect(client.receive(30).count == 30)
        try world.test.on {
            #expect(world.proxy.openConnections.count == 2)
            world.proxy.countBytes()
            #expect(world.journal.total.open == 2)
            #expect(world.journal.total.receivedBytes == 2000)
        }
        client.finish()
        #expect(server.receiveAll().end == .finished)
        server.finish()
        #expect(client.receiveAll().end == .finished)
        let log = try world.finishedLog()
        #expect(Set(log.map(\.direction)) == [.inbound, .outbound])
        for record in log {
            #expect(record.bytesReceived == 1000)
            #expect(record.bytesSent == 30)
            #expect(record.reason == nil)
            #expect(record.security == .mutualTLS)
        }
        #expect(log.first { $0.direction == .outbound }?.destination.identity == Certificates.server.identity)
        #expect(log.first { $0.direction == .inbound }?.source.identity == Certificates.client.identity)
        #expect(world.journal.total.sentBytes == 60)
        #expect(world.journal.total.openedWithMutualTLS == 2)
    }

    @Test(arguments: [false, true], ProxyWorld.Way.allCases)
    func `keeps a half-close, whoever is first`(serverFirst: Bool, way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        let (first, second) = serverFirst ? (server, client) : (client, server)
        first.send([1, 2])
        first.finish()
        #expect(second.receiveAll().bytes == [1, 2])
        second.send([3])
        second.finish()
        #expect(first.receiveAll().bytes == [3])
        #expect(try world.finishedLog().allSatisfy { $0.reason == nil })
    }

    @Test(arguments: [false, true], ProxyWorld.Way.allCases)
    func `keeps a reset, whoever sends it, and never ends cleanly`(serverResets: Bool, way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.send([1])
        #expect(server.receive(1) == [1])
        try world.settled()
        (serverResets ? server : client).reset()
        #expect((serverResets ? client : server).receiveAll().end == .reset)
        let log = try world.finishedLog()
        #expect(log.count == 2)
        for record in log {
            #expect(record.reason == .peerReset)
            #expect(record.detail == "the \(serverResets ? "server" : "client") reset the connection")
        }
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `brings an answer that is followed by a reset`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        // The request is never read, so closing resets.
        client.send(Array("POST".utf8))
        try world.test.wait(for: "the request to arrive") {
            world.proxy.openConnections.map(\.bytesReceived) == [4, 4]
        }
        server.send(Array("413".utf8))
        server.reset()
        let result = client.receiveAll()
        #expect(result.bytes == Array("413".utf8))
        #expect(result.end == .reset)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `tries another endpoint if one does not accept (503)`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [2, 3])
        // Only one of the two applications listens; the other is tried first in most runs of four.
        let listener = try world.application(3)
        for _ in 0..<4 {
            let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
            let server = try listener.accept()
            client.send([1])
            #expect(server.receive(1) == [1])
        }
        #expect(!world.refusals.latest.contains { $0.direction == .outbound })
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `tries another endpoint if one's agent is gone`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [3])
        // In the mesh's books, but nobody listens on its HBONE port.
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "server")))
        let listener = try world.application(3)
        for _ in 0..<4 {
            let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
            let server = try listener.accept()
            client.send([1])
            #expect(server.receive(1) == [1])
        }
        #expect(world.refusals.latest.isEmpty)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `tells the reason of the last attempt when all endpoints refuse`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [2, 3])
        let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
        #expect(client.receiveAll().end == .reset)
        let record = try world.refusal(.outbound)
        #expect(record.reason == .upstreamRefused)
        #expect(world.refusals.latest.filter { $0.direction == .inbound }.count == 2)
        #expect(world.journal.total.failed == 3)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `does not try another endpoint if policy refuses (401)`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [2, 3], policies: [.denyAll])
        let (first, second) = (try world.application(2), try world.application(3))
        let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .policyDeny)
        #expect(try world.refusal(.inbound).reason == .policyDeny)
        #expect(world.journal.total.denied == 2)
        #expect(world.journal.total.failed == 0)
        withExtendedLifetime((first, second)) {}
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is refused if the service has no endpoint`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [])
        let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
        #expect(client.receiveAll().end == .reset)
        let refusal = try world.refusal(.outbound)
        #expect(refusal.reason == .noHealthyUpstream)
        #expect(refusal.service != nil)
    }

    @Test(arguments: [15001, 15006, 15008, 15053] as [UInt16])
    func `is refused if it goes to the mesh's own ports`(port: UInt16) throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        let client = try world.connect(to: SocketAddress(world.address(2), port))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .selfCall)
        #expect(world.journal.total.denied == 1)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `goes past the mesh to what the mesh does not know`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application(77)
        let client = try world.connect(to: listener.address)
        let server = try listener.accept()
        client.send([1, 2, 3])
        client.finish()
        #expect(server.receiveAll().bytes == [1, 2, 3])
        server.send([4])
        server.finish()
        #expect(client.receiveAll().bytes == [4])
        let record = try #require(try world.finishedLog().first)
        #expect(record.security == .plaintext)
        #expect(record.passthroughReason == .unknownDestination)
        #expect(record.bytesReceived == 3)
        #expect(record.bytesSent == 1)
        #expect(world.journal.total.openedInPlaintext == 1)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `gives up when the client resets before the way is open`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        // A listener whose backlog is full drops SYNs: the application's connect hangs.
        let full = try world.application(backlog: 0)
        let others = try (0..<4).map { _ in try PlainSocket(tryingToReach: full.address) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        try world.test.wait(for: "the CONNECT to arrive") { world.proxy.currentCount == 2 }
        client.reset()
        #expect(try world.refusal(.outbound).reason == .peerReset)
        #expect(try world.refusal(.inbound).reason == .peerReset)
        try world.test.on { #expect(world.proxy.currentCount == 0) }
        withExtendedLifetime(others) {}
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `leaves nothing behind, however it ended`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        var connections: [WeakConnection] = []
        do {
            let listener = try world.application()
            for round in 0..<4 {
                let client = try world.connect(to: SocketAddress(world.address(2), 8080))
                let server = try listener.accept()
                client.send([1])
                #expect(server.receive(1) == [1])
                connections += try world.test.on { world.proxy.allConnections.map { WeakConnection(value: $0) } }
                switch round {
                case 0: client.reset()
                case 1: server.reset()
                case 2: try world.test.on { world.proxy.shutDown() }
                default:
                    client.finish()
                    server.finish()
                }
                _ = client.receiveAll()
                _ = server.receiveAll()
                _ = try world.finishedLog()
            }
        }
        let refused = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(refused.receiveAll().end == .reset)
        #expect(connections.count == 8)
        var isDrained = false
        try world.test.on { world.proxy.drain { isDrained = true } }
        try world.test.wait(for: "the tunnels to end") { isDrained }
        try world.test.on {
            #expect(connections.allSatisfy { $0.value == nil })
            #expect(world.proxy.currentCount == 0)
            #expect(world.proxy.tunnels.count == 0)
            #expect(world.limits.account(of: ProxyWorld.web).openCount == 0)
            #expect(world.limits.account(of: ProxyWorld.api(2)).openCount == 0)
            #expect(world.proxy.resources.pendingPool.lentCount == 0)
        }
    }
}

/// A connection that the test does not keep.
private struct WeakConnection {
    weak var value: (any ProxiedConnection)?
}
