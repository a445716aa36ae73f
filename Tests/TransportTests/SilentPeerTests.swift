import DataPlaneTestSupport
import Mesh
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel over TCP` {
    /// Far shorter than in service, so that the test has not long to wait.
    private static func limits(_ change: (inout KeepaliveLimits) -> Void) -> TunnelLimits {
        var limits = TunnelLimits()
        change(&limits.keepalive)
        return limits
    }

    private static let impatient = limits {
        $0.busyInterval = .milliseconds(50)
        $0.answerTimeout = .milliseconds(200)
    }

    @Test func `is given up by who dialled when the peer vanishes without FIN, and its streams are reset`() throws {
        let world = try TunnelWorld(dialling: Self.impatient)
        let wire = try Wire(to: world.address)
        let client = try world.accepted(world.open(world.key(at: wire.address)))
        client.app.send([1])
        #expect(try world.application().receive(1) == [1])
        wire.cut()
        try world.wait(for: .lost(.upstreamTimeout), on: client.carrier)
        #expect(client.app.receiveAll().end == .reset)
        try world.test.on {
            #expect(world.pool.count == 0)
            #expect(world.acceptor.count == 1, "the other end has heard of nothing")
        }
        // What comes next gets another tunnel.
        _ = try world.accepted(world.open(port: 81))
        try world.end()
    }

    @Test func `is given up by who accepted it when the peer vanishes without FIN, and its streams are reset`() throws {
        let world = try TunnelWorld(accepting: Self.impatient)
        let wire = try Wire(to: world.address)
        let client = try world.accepted(world.open(world.key(at: wire.address)))
        let server = try world.application()
        wire.cut()
        try world.wait(for: .lost(.upstreamTimeout), on: try world.carrier())
        #expect(server.receiveAll().end == .reset)
        try world.test.on {
            #expect(world.acceptor.count == 0)
            #expect(world.pool.count == 1, "the other end has heard of nothing")
        }
        withExtendedLifetime(client) {}
        try world.end()
    }

    @Test func `ends without an error when it was not used for long, and the next stream gets another`() throws {
        let world = try TunnelWorld(dialling: Self.limits { $0.idleTimeout = .milliseconds(50) })
        for port in [UInt16(80), 81] {
            let client = try world.accepted(world.open(port: port))
            let server = try world.application(port)
            client.app.finish()
            server.finish()
            try world.test.wait(for: "the end of the unused tunnel") {
                world.pool.count == 0 && world.acceptor.count == 0
            }
            try world.test.on {
                #expect(client.carrier.failure == nil)
                #expect(world.apps.failures.isEmpty)
            }
        }
        try world.end()
    }
}
