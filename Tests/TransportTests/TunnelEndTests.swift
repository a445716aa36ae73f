import Addressing
import DataPlaneTestSupport
import Kernel
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `The end of a tunnel` {
    @Test func `comes to a drained one when its last stream ends, and running streams go on`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        try world.test.on { world.acceptor.drain() }
        // A drained session takes no new stream: the pool dials another.
        try world.test.wait(for: "the announcement") { !world.pool.allLinks.contains(where: \.canOpenStream) }
        client.app.send([1])
        #expect(server.receive(1) == [1])
        server.send([2])
        #expect(client.app.receive(1) == [2])
        let next = try world.accepted(world.open(port: 81))
        next.app.send([3])
        #expect(try world.application(81).receive(1) == [3])
        try world.test.on { #expect(world.acceptor.count == 2) }
        client.app.finish()
        server.finish()
        try world.test.wait(for: "the drained link to end") { world.acceptor.count == 1 && world.pool.count == 1 }
        try world.end()
    }

    @Test func `comes to a drained pool when its last stream ends`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        try world.test.on { world.pool.drain() }
        client.app.send([1])
        #expect(server.receive(1) == [1])
        client.app.finish()
        server.finish()
        try world.test.wait(for: "the link to end") { world.acceptor.count == 0 && world.pool.count == 0 }
        try world.end()
    }

    @Test func `is the loss of all streams if the peer vanishes without a word`() throws {
        let world = try TunnelWorld()
        let clients = try (0..<3).map { try world.accepted(world.open(port: UInt16(1000 + $0))) }
        try world.test.on { world.vanish() }
        for client in clients {
            try world.wait(for: .lost(.peerReset), on: client.carrier)
            #expect(client.app.receiveAll().end == .reset)
        }
        try world.test.wait(for: "the link to end") { world.pool.count == 0 }
        // The next one gets a new tunnel.
        _ = try world.accepted(world.open(port: 81))
        try world.end()
    }

    /// Envoy does this when the application behind it ends first.
    @Test func `of a stream whose peer takes no more loses nothing of what it sent`() throws {
        let world = try TunnelWorld()
        let client = try takingNoMore(in: world)
        let received = client.app.receiveAll()
        #expect(received.bytes == [UInt8](repeating: 7, count: 100_000))
        #expect(received.end == .finished)
        client.app.send([1, 2, 3])
        client.app.finish()
        try world.test.wait(for: "the stream to be over") { client.carrier.stream == nil }
        try world.test.on { #expect(client.carrier.events == [.accepted, .finished]) }
        try world.end()
    }

    @Test func `is a reset for a client that goes on sending to a peer that takes no more`() throws {
        let world = try TunnelWorld()
        let client = try takingNoMore(in: world)
        #expect(client.app.receiveAll().end == .finished)
        let filler = [UInt8](repeating: 0, count: 1 << 20)
        // It is cut after a while: the kernel's buffers hold far less than this.
        for _ in 0..<64 where client.app.send(filler) {}
        try world.wait(for: .reset, on: client.carrier)
        try world.end()
    }

    /// A client whose server has sent 100,000 bytes and its end, and behind it RST_STREAM with NO_ERROR.
    private func takingNoMore(in world: TunnelWorld) throws -> ClientEnd {
        let client = try world.accepted(world.open())
        let server = try world.application()
        let carrier = try world.carrier()
        server.send([UInt8](repeating: 7, count: 100_000))
        server.finish()
        try world.wait(for: .finished, on: client.carrier)
        try world.test.on {
            let link = try #require(world.acceptor.allLinks.first)
            let id = try #require(carrier.stream?.id)
            link.session.reset(id, code: .noError, at: world.accepting.loop.now)
            link.queueFlush()
        }
        return client
    }

    @Test func `leaves nothing behind`() throws {
        let world = try TunnelWorld()
        weak var stream: TunnelStream?
        weak var carrier: Carrier?
        try {
            let client = try world.accepted(world.open())
            let server = try world.application()
            try world.test.on {
                stream = client.carrier.stream
                carrier = client.carrier
            }
            let app = client.app
            let sent = Work { app.stream(3 << 20, seed: 1) }
            #expect(server.digestAll().digest == (try sent.wait()))
            server.finish()
            #expect(app.receiveAll().end == .finished)
            try world.test.wait(for: "the stream to end") { client.carrier.stream == nil }
        }()
        weak let link = try world.test.on { world.pool.allLinks.first }
        #expect(link != nil)
        try world.test.on {
            world.apps.sockets = [:]
            world.apps.carriers = [:]
            world.pool.drain()
        }
        try world.test.wait(for: "everything to end") { world.pool.count == 0 && world.acceptor.count == 0 }
        try world.test.on {}
        #expect(stream == nil)
        #expect(carrier == nil)
        #expect(link == nil)
        try world.test.on {
            for resources in [world.dialling, world.accepting] {
                #expect(resources.pendingPool.lentCount == 0)
                #expect(resources.plaintextPool.lentCount == 0)
                #expect(resources.ciphertextPool.lentCount == 0)
            }
        }
        try world.end()
    }
}
