import DataPlaneTestSupport
import Mesh
import Testing

@testable import Transport

@Suite struct `Much traffic in a tunnel` {
    @Test func `arrives byte for byte, 64 MiB each way at once`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        let count = 64 << 20
        let app = client.app
        let up = Work { app.stream(count, seed: 1) }
        let down = Work { server.stream(count, seed: 2) }
        let atServer = Work { server.digestAll() }
        let atClient = Work { app.digestAll() }
        #expect(try atServer.wait().digest == up.wait())
        #expect(try atClient.wait().digest == down.wait())
        try world.end()
    }

    @Test func `arrives byte for byte on eight streams both ways`() throws {
        let world = try TunnelWorld()
        let count = 4 << 20
        let clients = try (0..<8).map { try world.accepted(world.open(port: UInt16(1000 + $0))) }
        var work: [(sent: Work<Digest>, received: Work<(digest: Digest, end: PlainSocket.End)>)] = []
        for (index, client) in clients.enumerated() {
            let (app, server) = (client.app, try world.application(UInt16(1000 + index)))
            let seed = UInt64(index)
            work.append((Work { app.stream(count, seed: seed) }, Work { server.digestAll() }))
            work.append((Work { server.stream(count, seed: seed + 100) }, Work { app.digestAll() }))
        }
        for item in work {
            let received = try item.received.wait()
            #expect(received.end == .finished)
            #expect(try item.sent.wait() == received.digest)
        }
        try world.end()
    }

    @Test func `stops for nobody: a ninth stream runs at full speed past eight stalled ones`() throws {
        let world = try TunnelWorld()
        try world.test.on { world.apps.hasSmallBuffers = true }
        let stalled = try (0..<8).map { try world.accepted(world.open(port: UInt16(1000 + $0))) }
        let servers = try (0..<8).map { try world.application(UInt16(1000 + $0)) }
        let writers = stalled.enumerated().map { index, client in
            let app = client.app
            return Work { app.stream(1 << 20, seed: UInt64(index)) }
        }
        let carriers = try (0..<8).map { try world.carrier(UInt16(1000 + $0)) }
        try world.test.wait(for: "eight full windows") { carriers.allSatisfy { $0.socket.pendingCount > 128 << 10 } }
        try world.test.on {
            world.apps.hasSmallBuffers = false
            // What waits for a slow application is bounded by its stream's window.
            for carrier in carriers { #expect(carrier.socket.pendingCount <= 4 << 20) }
            #expect(world.accepting.windows.grantedInBytes <= 8 * (4 << 20))
        }
        let ninth = try world.accepted(world.open(port: 80))
        let fast = try world.application(80)
        let app = ninth.app
        let sent = Work { app.stream(16 << 20, seed: 99) }
        #expect(fast.digestAll().digest == (try sent.wait()))
        try world.test.on { #expect(carriers.allSatisfy { $0.socket.pendingCount > 128 << 10 }) }
        // And the stalled ones finish as soon as they are read; two tell as much as eight, which would wait for TCP's
        // window probes, further and further apart.
        for server in servers[2...] { server.abort() }
        for (index, server) in servers[..<2].enumerated() {
            let result = server.digestAll()
            #expect(result.end == .finished)
            #expect(result.digest == (try writers[index].wait()))
        }
        try world.end()
    }
}
