import DataPlaneTestSupport
import Mesh
import Testing
import Tunnel

@testable import Transport

/// The carriers here read nothing before the answer, so the bytes that come early are sent by hand.
@Suite struct `Data before the answer` {
    private func openEarly(_ world: TunnelWorld) throws -> ClientEnd {
        try world.test.on { world.apps.answer = { _ in .wait } }
        let client = try world.open()
        client.app.send(Array("early".utf8))
        client.app.finish()
        try world.test.wait(for: "the request") { world.apps.waiting[80] != nil }
        try world.test.wait(for: "the bytes") { client.carrier.socket.mayRead }
        try world.test.on { client.carrier.relay() }
        return client
    }

    @Test func `is delivered once the stream is accepted`() throws {
        let world = try TunnelWorld()
        let client = try openEarly(world)
        try world.test.on {
            guard let stream = world.apps.waiting.removeValue(forKey: 80) else { return }
            world.apps.accept(stream, 80)
        }
        let server = try world.application()
        let received = server.receiveAll()
        #expect(received.bytes == Array("early".utf8))
        #expect(received.end == .finished)
        server.send([1])
        #expect(client.app.receive(1) == [1])
        try world.end()
    }

    @Test func `goes nowhere if the stream is refused`() throws {
        let world = try TunnelWorld()
        let client = try openEarly(world)
        try world.test.on { world.apps.waiting.removeValue(forKey: 80)?.refuse(status: 401) }
        try world.wait(for: .refused(401), on: client.carrier)
        try world.test.on {
            #expect(world.apps.sockets.isEmpty)
            #expect(world.accepting.pendingPool.lentCount == 0)
        }
        try world.end()
    }
}
