import Addressing
import DataPlaneTestSupport
import Foundation
import Identity
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// Refusals for what a certificate says, or because there is none; PEER_NOT_MTLS and CERT_UNAVAILABLE of the accepting
/// side are among the tests of a pod.
@Suite struct `A connection is refused for an identity` {
    /// `api` in a world where only the roots of the mesh are trusted and `web` dials.
    private func enrolled(_ world: ProxyWorld) throws -> PlainSocket {
        try world.enrol()
        return try world.connect(to: SocketAddress(world.address(2), 8080))
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `SAN_MISMATCH if the destination shows another identity than its own`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let right = world.snapshot
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(2), 2, account: "other")))
        // It dials for `other`, and by the time that its SYN is accepted the pod is `server` again.
        let proxy = world.proxy
        let client = try world.connect(to: SocketAddress(world.address(2), 8080)) { proxy.update(right) }
        #expect(client.receiveAll().end == .reset)
        let record = try world.refusal(.outbound, .sanMismatch)
        #expect(record.detail?.contains("sa/server") == true)
        #expect(record.destination.workload == ProxyWorld.api(2))
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `TRUST_DOMAIN_MISMATCH if nobody here has roots for the peer's`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.install(Certificates.stranger)
        try world.enrol()
        var foreign = world.workload(ProxyWorld.api(2), 2, account: "server")
        foreign.trustDomain = Certificates.abroad
        try world.apply(.workloadUpserted(foreign))
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .trustDomainMismatch).destination.workload == ProxyWorld.api(2))
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_EXPIRED once the peer's certificate has`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.test.on { world.clockSkew = 3 * 86_400 }
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .certificateExpired).detail?.isEmpty == false)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_NOT_YET_VALID before the peer's certificate is, by more than clocks differ`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.test.on { world.clockSkew = -3 * 86_400 }
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        _ = try world.refusal(.outbound, .certificateNotYetValid)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_REVOKED if the peer's certificate was taken back`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([Certificates.server.serial])
        try world.install(bundles)
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .certificateRevoked).detail?.contains("taken back") == true)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_REVOKED at once when it is taken back while the connection is open, at both ends`(way: ProxyWorld.Way)
        throws
    {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.send([1])
        #expect(server.receive(1) == [1])
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([Certificates.client.serial])
        try world.install(bundles)
        #expect(client.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        let log = try world.finishedLog()
        #expect(log.first { $0.direction == .inbound }?.reason == .certificateRevoked)
        #expect(log.count == 2)
    }

    /// That pod's certificate ran out an hour ago.
    private func expire(_ svid: SVID, in world: ProxyWorld) throws {
        let absence = CertificateAbsence.expired(
            svid.identity, notAfter: WallClock.secondsSince1970 - 3600, because: "the CA is away")
        try world.test.on {
            world.proxy.identities.remove(svid.identity, because: absence)
            world.proxy.identitiesChanged()
        }
    }

    private func check(_ record: ConnectionRecord, _ svid: SVID) {
        let start = "the certificate of \(svid.identity) expired 36"
        #expect(record.detail?.hasPrefix(start) == true && record.detail?.contains("the CA is away") == true)
        #expect(record.detail?.contains("meshnode certificates") == true)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_EXPIRED while the source's own has, and no longer once there is another`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let open = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        open.send([1])
        #expect(server.receive(1) == [1])
        try expire(Certificates.client, in: world)
        let refused = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(refused.receiveAll().end == .reset)
        check(try world.refusal(.outbound, .certificateExpired), Certificates.client)
        // What is open, runs on.
        open.send([2])
        #expect(server.receive(1) == [2])
        try world.install(Certificates.client)
        let next = try world.connect(to: SocketAddress(world.address(2), 8080))
        let far = try listener.accept()
        next.send([3])
        #expect(far.receive(1) == [3])
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_EXPIRED while the destination's own has, and no longer once there is another`(way: ProxyWorld.Way) throws
    {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        try expire(Certificates.server, in: world)
        let refused = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(refused.receiveAll().end == .reset)
        check(try world.refusal(.inbound, .certificateExpired), Certificates.server)
        try world.install(Certificates.server)
        let next = try world.connect(to: SocketAddress(world.address(2), 8080))
        let far = try listener.accept()
        next.send([3])
        #expect(far.receive(1) == [3])
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `CERT_UNAVAILABLE if the source has no certificate`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        try world.test.on { world.proxy.identities.remove(Certificates.client.identity) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .certificateUnavailable)
    }
}
