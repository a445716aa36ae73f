import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `The edges of a node` {
    @Test(arguments: ProxyWorld.Way.allCases)
    func `tell who talks to whom, how, how much, and who was refused`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(100), ProxyWorld.servicePort))
        let server = try listener.accept()
        client.send([UInt8](repeating: 1, count: 1000))
        #expect(server.receive(1000).count == 1000)
        server.send([UInt8](repeating: 2, count: 30))
        #expect(client.receive(30).count == 30)
        try world.test.on { world.proxy.countBytes() }
        let outbound = try #require(world.journal.edges.edges.first { $0.key.direction == .outbound })
        #expect(outbound.key.source.workload == ProxyWorld.web.text)
        #expect(outbound.key.destination.workload == ProxyWorld.api(2).text)
        #expect(outbound.key.service == ProxyWorld.service)
        #expect(outbound.destinationIdentity == Certificates.server.identity)
        #expect(outbound.security == .mutualTLS)
        #expect(outbound.openCount == 1)
        #expect(outbound.bytesFromClient == 1000)
        #expect(outbound.bytesFromServer == 30)
        try world.apply(.policyUpserted(.denyAll))
        #expect(client.receiveAll().end == .reset)
        let plain = try world.connectInPlaintext()
        #expect(plain.receiveAll().end == .reset)
        _ = try world.finishedLog()
        let inbound = world.journal.edges.edges.filter { $0.key.direction == .inbound }
        let cut = try #require(inbound.first { $0.key.source.workload == ProxyWorld.web.text })
        #expect(cut.sourceIdentity == Certificates.client.identity)
        #expect(cut.refusals == [.policyChanged: 1])
        #expect(cut.openCount == 0)
        let stranger = try #require(inbound.first { $0.key.source.address == world.address(50) })
        #expect(stranger.refusals == [.policyDeny: 1])
        #expect(stranger.lastRefusalPolicy == AuthorizationPolicy.denyAll.name)
        #expect(stranger.security == .unknown)
        #expect(stranger.sourceIdentity == nil)
    }
}
