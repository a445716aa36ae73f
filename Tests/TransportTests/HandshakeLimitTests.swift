import DataPlaneTestSupport
import Mesh
import Testing

@testable import Transport

@Suite struct `Handshakes that come to nothing` {
    @Test func `are given up, the oldest first, and keep nobody out`() throws {
        var limits = HandshakeLimits()
        limits.perPod = 4
        let world = try TunnelWorld(handshakes: limits)
        let silent = try (0..<8).map { _ in try PlainSocket(connectedTo: world.address) }
        for socket in silent.prefix(4) { #expect(socket.receiveAll().bytes.isEmpty) }
        try world.test.wait(for: "the others to be accepted") { world.acceptor.handshakeCount == 4 }
        try world.test.on {
            #expect(world.apps.failures.map(\.reason) == Array(repeating: .limitConnections, count: 4))
        }
        // An honest one costs the oldest its place and is through.
        let client = try world.accepted(world.open())
        client.app.send([1])
        #expect(try world.application().receive(1) == [1])
        #expect(silent[4].receiveAll().bytes.isEmpty)
        try world.test.on { #expect(world.acceptor.handshakeCount == 3) }
        withExtendedLifetime(silent) {}
        try world.end()
    }
}

@Suite struct `A queue of handshakes` {
    private final class Link {}

    @Test func `bounds each pod and all of them, and forgets what ended`() {
        var limits = HandshakeLimits()
        limits.perPod = 2
        limits.perLoop = 3
        var queue = HandshakeQueue(limits)
        let links = (0..<5).map { _ in Link() }
        func id(_ index: Int) -> ObjectIdentifier { ObjectIdentifier(links[index]) }
        let first = queue.began(id(0), enrolment: 1)
        #expect(queue.tooMany(for: 1) == nil)
        _ = queue.began(id(1), enrolment: 1)
        #expect(queue.tooMany(for: 1) == id(0))
        #expect(queue.tooMany(for: 2) == nil)
        let other = queue.began(id(2), enrolment: 2)
        #expect(queue.tooMany(for: 3) == id(0))
        queue.ended(first)
        queue.ended(first)
        #expect(queue.count == 2)
        #expect(queue.tooMany(for: 1) == nil)
        queue.ended(other)
        _ = queue.began(id(3), enrolment: 1)
        #expect(queue.tooMany(for: 1) == id(1))
    }

    @Test func `does not grow with those that ended`() {
        var queue = HandshakeQueue(HandshakeLimits())
        let link = Link()
        for _ in 0..<10_000 { queue.ended(queue.began(ObjectIdentifier(link), enrolment: 1)) }
        #expect(queue.count == 0)
        #expect(queue.tooMany(for: 1) == nil)
        withExtendedLifetime(link) {}
    }
}
