import Addressing
import DataPlaneTestSupport
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `A pod of this node` {
    @Test func `accepts only when its record and its certificate are there`() throws {
        let world = try ProxyWorld(patience: .seconds(3600), hasCertificates: false)
        defer { world.end() }
        try world.capture(ProxyWorld.api(2), 2)
        let address = SocketAddress(world.address(2), MeshPorts.hbone)
        let early = try PlainSocket(connectedTo: address)
        // What is no TLS would be refused, and told, as soon as it were accepted.
        early.send(Array("hello".utf8))
        early.finish()
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "server")))
        try world.test.on {}
        #expect(world.refusals.latest.isEmpty)
        try world.installCertificates()
        #expect(try world.refusal(.inbound).reason == .peerNotMTLS)
    }

    @Test func `refuses with a reason when its record does not come in time`() throws {
        let world = try ProxyWorld(patience: .milliseconds(20))
        defer { world.end() }
        try world.capture(ProxyWorld.api(2), 2)
        let client = try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound).reason == .unknownDestination)
        #expect(world.journal.total.failed == 1)
    }

    @Test func `refuses with a reason when its certificate does not come in time`() throws {
        let world = try ProxyWorld(patience: .milliseconds(20), hasCertificates: false)
        defer { world.end() }
        try world.capture(ProxyWorld.api(2), 2)
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "server")))
        let client = try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound).reason == .certificateUnavailable)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `says that its own record is missing to who connects from it`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.capture(ProxyWorld.web, 1)
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .unknownSource)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `accepts no more once it is withdrawn, and its connections run on`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        try world.test.on { world.proxy.podWithdrawn(ProxyWorld.api(2)) }
        client.send([1])
        #expect(server.receive(1) == [1])
        #expect(throws: (any Error).self) {
            try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        }
    }
}
