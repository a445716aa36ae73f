import DataPlaneTestSupport
import Identity
import Kernel
import Mesh
import Testing

@testable import Transport

@Suite struct `A node whose own certificate is absent` {
    private func expired(_ svid: SVID) -> CertificateAbsence {
        .expired(svid.identity, notAfter: WallClock.secondsSince1970 - 3600, because: "the CA is away")
    }

    private func check(_ failure: TunnelFailure?, _ svid: SVID) throws {
        let failure = try #require(failure)
        #expect(failure.reason == .certificateExpired)
        #expect(failure.detail.hasPrefix("the certificate of \(svid.identity) expired 36"))
        #expect(failure.detail.contains("the CA is away"))
        #expect(!failure.mayRetryElsewhere)
    }

    @Test func `dials nobody and says why, until a new one comes`() throws {
        let world = try TunnelWorld()
        let open = try world.accepted(world.open(port: 81))
        let server = try world.application(81)
        try world.test.on {
            world.clientIdentities.remove(Certificates.client.identity, because: self.expired(Certificates.client))
            world.pool.reviewTrust()
        }
        let refused = try world.open(port: 82)
        try world.wait(for: .lost(.certificateExpired), on: refused.carrier)
        try world.test.on { try self.check(refused.carrier.failure, Certificates.client) }
        // What is open, stays.
        open.app.send([1])
        #expect(server.receive(1) == [1])
        try world.test.on {
            try world.clientIdentities.update(Certificates.client)
            world.pool.reviewTrust()
            #expect(world.clientIdentities.absence(of: Certificates.client.identity) == nil)
        }
        _ = try world.accepted(world.open(port: 83))
        try world.end()
    }

    @Test func `accepts nobody and says why, until a new one comes`() throws {
        let world = try TunnelWorld()
        try world.test.on {
            world.serverIdentities.remove(Certificates.server.identity, because: self.expired(Certificates.server))
        }
        let refused = try world.open(port: 81)
        #expect(refused.app.receiveAll().end == .reset)
        try world.test.on { try self.check(world.apps.failures.first, Certificates.server) }
        try world.test.on { try world.serverIdentities.update(Certificates.server) }
        _ = try world.accepted(world.open(port: 82))
        try world.end()
    }

    @Test func `tells one that never was, one that ran out and one that is there apart`() throws {
        let identities = LoopIdentities()
        let identity = Certificates.client.identity
        identities.update(try Certificates.bundles())
        #expect(identities.absence(of: identity)?.reason == .certificateUnavailable)
        identities.remove(identity, because: expired(Certificates.client))
        #expect(identities.absence(of: identity)?.reason == .certificateExpired)
        #expect(!identities.isAvailable(identity))
        // Nobody needs it any more; whoever does later starts afresh.
        identities.remove(identity)
        #expect(identities.absence(of: identity) == .missing(identity))
        try identities.update(Certificates.client)
        #expect(identities.absence(of: identity) == nil)
        #expect(identities.isAvailable(identity))
    }

    @Test func `says it if there are no roots`() throws {
        let identities = LoopIdentities()
        try identities.update(Certificates.client)
        let failure = #expect(throws: TunnelFailure.self) {
            _ = try identities.credentials(of: Certificates.client.identity, role: .client, at: 0)
        }
        #expect(failure?.reason == .certificateUnavailable)
        #expect(failure?.detail.contains("no roots") == true)
    }
}
