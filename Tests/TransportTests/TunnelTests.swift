import Addressing
import DataPlaneTestSupport
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel` {
    @Test func `carries a stream both ways and proves both identities`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        client.app.send(Array("ping".utf8))
        #expect(server.receive(4) == Array("ping".utf8))
        server.send(Array("pong".utf8))
        #expect(client.app.receive(4) == Array("pong".utf8))
        try world.test.on {
            #expect(world.apps.identities == [Certificates.client.identity])
            #expect(client.carrier.stream?.peerIdentity == Certificates.server.identity)
        }
        try world.end()
    }

    @Test func `carries 64 streams at once over one session`() throws {
        let world = try TunnelWorld()
        let clients = try (0..<64).map { try world.open(port: UInt16(1000 + $0)) }
        for (index, client) in clients.enumerated() {
            _ = try world.accepted(client)
            client.app.send(Array("hello \(index)".utf8))
        }
        for index in clients.indices {
            let server = try world.application(UInt16(1000 + index))
            let text = Array("hello \(index)".utf8)
            #expect(server.receive(text.count) == text)
            server.send(text)
            #expect(clients[index].app.receive(text.count) == text)
        }
        try world.test.on { #expect(world.pool.count == 1) }
        try world.end()
    }

    @Test(arguments: [false, true])
    func `passes on a half-close, whichever side is first`(serverFirst: Bool) throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        let (first, second) = serverFirst ? (server, client.app) : (client.app, server)
        first.send([1, 2, 3])
        first.finish()
        #expect(second.receiveAll().bytes == [1, 2, 3])
        second.send([4, 5])
        second.finish()
        let rest = first.receiveAll()
        #expect(rest.bytes == [4, 5])
        #expect(rest.end == .finished)
        try world.test.wait(for: "the stream to end") { client.carrier.stream == nil }
        try world.end()
    }

    @Test(arguments: [false, true])
    func `turns a reset of one application into a reset of the other`(serverResets: Bool) throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        let far = try world.carrier()
        server.send([1])
        #expect(client.app.receive(1) == [1])
        (serverResets ? server : client.app).reset()
        let other = serverResets ? client.app : server
        #expect(other.receiveAll().end == .reset)
        try world.test.on {
            let carrier = serverResets ? client.carrier : far
            #expect(carrier.events.last == .reset)
            #expect(!carrier.events.contains(.finished))
        }
        try world.end()
    }

    @Test func `is not cut by many resets and goes on`() throws {
        let world = try TunnelWorld()
        for round in 0..<150 {
            let client = try world.accepted(world.open(port: UInt16(1000 + round)))
            client.app.reset()
            #expect(try world.application(UInt16(1000 + round)).receiveAll().end == .reset)
        }
        try world.test.on { #expect(world.pool.count == 1) }
        try world.end()
    }

    @Test(arguments: [400, 401, 503])
    func `tells the status of a refusal`(status: Int) throws {
        let world = try TunnelWorld()
        try world.test.on { world.apps.answer = { _ in .refuse(status) } }
        let client = try world.open()
        try world.wait(for: .refused(status), on: client.carrier)
        #expect(client.app.receiveAll().end == .reset)
        // The session is as good as before.
        try world.test.on { world.apps.answer = { _ in .accept } }
        let next = try world.accepted(world.open(port: 81))
        next.app.send([7])
        #expect(try world.application(81).receive(1) == [7])
        try world.test.on { #expect(world.pool.count == 1) }
        try world.end()
    }

    @Test func `gives the place of a reset stream to one that waits`() throws {
        let world = try TunnelWorld()
        let limit = TunnelLimits().maxOwnStreams
        let clients = try (0..<limit).map { try world.open(port: UInt16(1000 + $0)) }
        for client in clients { _ = try world.accepted(client) }
        // In one batch: a stream is cut and another wanted; its reset has not gone out yet.
        let (near, app) = try Applications.socketPair()
        let carrier = try world.test.on {
            clients[0].carrier.stream?.reset()
            let socket = StreamSocket(
                accepted: .init(number: near), resources: world.dialling)
            let carrier = Carrier(socket)
            try socket.start(carrier)
            carrier.stream = world.pool.open(
                world.key(), ConnectRequest(authority: .address(SocketAddress(world.address.ip, 80))),
                sockets: world.stock, handler: carrier)
            return carrier
        }
        try world.wait(for: .accepted, on: carrier)
        // The first session is still used: cut another, and the next stream finds its place there.
        try world.test.on { clients[1].carrier.stream?.reset() }
        let sessions = try world.test.on { world.pool.count }
        try world.test.on {}
        for index in 0..<3 { _ = try world.accepted(world.open(port: UInt16(2000 + index))) }
        try world.test.on { #expect(world.pool.count == sessions) }
        withExtendedLifetime(app) {}
        try world.end()
    }

    @Test func `passes on a reset although the window is closed`() throws {
        let world = try TunnelWorld()
        try world.test.on { world.apps.hasSmallBuffers = true }
        let client = try world.accepted(world.open())
        let server = try world.application()
        // The far application reads nothing, so the near side may send no more and does not read its socket.
        let far = try world.carrier()
        let app = client.app
        let sent = Work { app.stream(32 << 20, seed: 1) }
        try world.test.wait(for: "a full window") {
            client.carrier.isBlocked && far.socket.pendingCount > 128 << 10
        }
        app.abort()
        try world.wait(for: .reset, on: far)
        #expect(server.digestAll().end == .reset)
        #expect(try sent.wait().count < 32 << 20)
        try world.end()
    }

    @Test func `leaves the neighbours alone when a stream is cut after it has ended`() throws {
        let world = try TunnelWorld()
        try world.test.on { world.apps.hasSmallBuffers = true }
        let first = try world.accepted(world.open(port: 1000))
        let slow = try world.application(1000)
        let carrier = try world.carrier(1000)
        // Both directions end, but the far application has not read everything yet.
        slow.finish()
        #expect(first.app.receiveAll().end == .finished)
        let sent = first.app.stream(200_000, seed: 3)
        try world.test.wait(for: "the end of the stream") { carrier.events.contains(.finished) }
        try world.test.on { #expect(carrier.socket.pendingCount > 0) }
        // Another stream takes over its place.
        let second = try world.accepted(world.open(port: 1001))
        slow.reset()
        try world.wait(for: .socketFailed, on: carrier)
        second.app.send([9])
        #expect(try world.application(1001).receive(1) == [9])
        #expect(sent.count == 200_000)
        try world.end()
    }
}
