import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `A connection that comes to a pod` {
    @Test(arguments: ProxyWorld.Way.allCases)
    func `is closed as soon as policy refuses it`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let tunnelled = try world.connect(to: SocketAddress(world.address(2), 8080))
        let first = try listener.accept()
        let plain = try world.connectInPlaintext()
        let second = try listener.accept()
        tunnelled.send([1])
        plain.send([1])
        #expect(first.receive(1) == [1])
        #expect(second.receive(1) == [1])
        try world.apply(.policyUpserted(.denyAll))
        for socket in [tunnelled, plain, first, second] { #expect(socket.receiveAll().end == .reset) }
        let log = try world.finishedLog()
        #expect(log.filter { $0.direction == .inbound }.map(\.reason) == [.policyChanged, .policyChanged])
        #expect(log.filter { $0.direction == .inbound }.allSatisfy { $0.policy == AuthorizationPolicy.denyAll.name })
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `goes on when a policy changes that allows it`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        var policy = AuthorizationPolicy.denyAll
        policy.action = .allow
        try world.apply(.policyUpserted(policy))
        client.send([1])
        #expect(server.receive(1) == [1])
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is closed by policy also after it has ended and while bytes wait`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        var allow = AuthorizationPolicy.denyAll
        allow.action = .allow
        var match = AuthorizationMatch()
        match.principals = [.exact(Certificates.client.identity.principal)]
        allow.rules = [AuthorizationRule(clauses: [AuthorizationClause(kind: .from, matches: [match])])]
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        // Both have said all; the application has yet to read it.
        server.finish()
        #expect(client.receiveAll().end == .finished)
        let sent = Work { client.stream(8 << 20, seed: 1) }
        try world.test.wait(for: "bytes to wait") {
            let open = world.proxy.openConnections
            return open.count == 2 && open.allSatisfy { $0.bytesReceived > 1 << 20 }
        }
        // The policy asks who the peer is: that is still known.
        try world.apply(.policyUpserted(allow))
        let result = server.digestAll()
        #expect(result.end == .finished)
        #expect(result.digest == (try sent.wait()))
        #expect(try world.finishedLog().allSatisfy { $0.reason == nil })
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `in plaintext is refused under STRICT`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        var strict = AuthorizationPolicy.denyAll
        strict.origin = .peerAuthentication
        var match = AuthorizationMatch()
        match.notPrincipals = [.presence]
        strict.rules = [AuthorizationRule(clauses: [AuthorizationClause(kind: .from, matches: [match])])]
        try world.enrol(policies: [strict])
        let listener = try world.application()
        let plain = try world.connectInPlaintext()
        #expect(plain.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound).reason == .plaintextRefused)
        #expect(world.journal.total.denied == 1)
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        client.send([1])
        #expect(try listener.accept().receive(1) == [1])
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `in plaintext fails if the application does not listen`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let plain = try world.connectInPlaintext()
        #expect(plain.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound).reason == .upstreamRefused)
        #expect(world.journal.total.failed == 1)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `runs on while the loop drains, and its end ends the drain`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        var isDrained = false
        try world.test.on { world.proxy.drain { isDrained = true } }
        client.send([1])
        #expect(server.receive(1) == [1])
        try world.test.on { #expect(!isDrained) }
        client.finish()
        server.finish()
        try world.test.wait(for: "the end of the drain") { isDrained }
        #expect(throws: (any Error).self) {
            try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        }
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is reset when the drain takes too long`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        var isDrained = false
        try world.test.on { world.proxy.drain { isDrained = true } }
        try world.test.on { world.proxy.shutDown() }
        #expect(client.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        try world.test.wait(for: "the end of the drain") { isDrained }
        #expect(try world.finishedLog().contains { $0.reason == .drain })
    }
}
