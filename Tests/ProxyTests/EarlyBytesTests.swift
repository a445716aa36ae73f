import Addressing
import DataPlaneTestSupport
import Mesh
import TestSupport
import Testing

@testable import Proxy

@Suite struct `What a client says at once` {
    private let request = Array("GET / HTTP/1.0\r\n\r\n".utf8)

    @Test(arguments: ProxyWorld.Way.allCases)
    func `reaches the application once, with its end, and is counted`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        for _ in 0..<3 {
            let client = try world.connect(to: SocketAddress(world.address(2), 8080), saying: request)
            let server = try listener.accept()
            #expect(server.receiveAll().bytes == request)
            server.send([9])
            server.finish()
            #expect(client.receiveAll().bytes == [9])
            let log = try world.finishedLog()
            #expect(log.map(\.bytesReceived) == [UInt64(request.count), UInt64(request.count)])
            #expect(log.map(\.bytesSent) == [1, 1])
        }
    }

    @Test func `goes to another endpoint if one does not accept, whole and once`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol(endpoints: [2, 3])
        let listener = try world.application(3)
        for _ in 0..<6 {
            let client = try world.connect(
                to: SocketAddress(world.address(100), ProxyWorld.servicePort), saying: request)
            let server = try listener.accept()
            let received = server.receiveAll()
            #expect(received.bytes == request)
            #expect(received.end == .finished)
            server.finish()
            #expect(client.receiveAll().end == .finished)
        }
        #expect(world.refusals.latest.allSatisfy { $0.direction == .inbound })
    }

    @Test func `goes to another tunnel if the peer leaves before it looks`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try world.connect(to: SocketAddress(world.address(2), 8080))
        let firstServer = try listener.accept()
        try world.test.on { world.proxy.inboundTunnels.drain() }
        let second = try world.connect(to: SocketAddress(world.address(2), 8080), saying: request)
        #expect(try listener.accept().receiveAll().bytes == request)
        #expect(world.refusals.latest.isEmpty)
        withExtendedLifetime((first, firstServer, second)) {}
    }

    @Test func `reaches nobody if policy refuses`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol(policies: [.denyAll])
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080), saying: request)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .policyDeny)
        try world.test.on { #expect(world.proxy.resources.pendingPool.lentCount == 0) }
        withExtendedLifetime(listener) {}
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `may be much more than is kept`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        var pattern = Pattern(seed: 3)
        let bytes = pattern.next(100_000)
        let client = try world.connect(to: SocketAddress(world.address(2), 8080), saying: bytes)
        let server = try listener.accept()
        #expect(server.receiveAll().bytes == bytes)
        withExtendedLifetime(client) {}
    }
}
