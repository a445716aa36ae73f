import Addressing
import DataPlaneTestSupport
import Foundation
import Identity
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

    @Test func `SAN_MISMATCH if the destination shows another identity than its own`() throws {
        let world = try ProxyWorld()
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

    @Test func `TRUST_DOMAIN_MISMATCH if nobody here has roots for the peer's`() throws {
        let world = try ProxyWorld()
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

    @Test func `CERT_EXPIRED once the peer's certificate has`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.test.on { world.clockSkew = 3 * 86_400 }
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .certificateExpired).detail?.isEmpty == false)
    }

    @Test func `CERT_NOT_YET_VALID before the peer's certificate is, by more than clocks differ`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.test.on { world.clockSkew = -3 * 86_400 }
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        _ = try world.refusal(.outbound, .certificateNotYetValid)
    }

    @Test func `CERT_REVOKED if the peer's certificate was taken back`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([Certificates.server.serial])
        try world.install(bundles)
        let client = try enrolled(world)
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .certificateRevoked).detail?.contains("taken back") == true)
    }

    @Test func `CERT_REVOKED at once when it is taken back while the connection is open, at both ends`() throws {
        let world = try ProxyWorld()
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

    @Test func `CERT_UNAVAILABLE if the source has no certificate`() throws {
        let world = try ProxyWorld()
        defer { world.end() }
        try world.enrol()
        try world.test.on { world.proxy.identities.remove(Certificates.client.identity) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound).reason == .certificateUnavailable)
    }
}
