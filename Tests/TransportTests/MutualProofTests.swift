import DataPlaneTestSupport
import Identity
import Kernel
import Mesh
import Testing

@testable import Transport

@Suite struct `What two workloads of a node prove to each other` {
    private let day: Int64 = 86_400

    private func identities(_ svids: [SVID] = [Certificates.client, Certificates.server]) throws -> LoopIdentities {
        let identities = LoopIdentities()
        for svid in svids { try identities.update(svid) }
        identities.update(try Certificates.bundles())
        return identities
    }

    private func prove(
        _ identities: LoopIdentities, accepting accepted: Set<SPIFFEID> = [Certificates.server.identity],
        _ destination: SVID = Certificates.server, after skew: Int64 = 0
    ) -> MutualProof? {
        identities.prove(
            Certificates.client.identity, to: destination.identity, accepting: accepted,
            at: WallClock.secondsSince1970 + skew)
    }

    @Test func `is who they are, by the certificates of both`() throws {
        let proof = try #require(prove(identities()))
        #expect(proof.sourceIdentity == Certificates.client.identity)
        #expect(proof.destinationIdentity == Certificates.server.identity)
    }

    @Test func `is nothing without both certificates, or without roots`() throws {
        #expect(prove(try identities([Certificates.client])) == nil)
        #expect(prove(try identities([Certificates.server])) == nil)
        let rootless = LoopIdentities()
        try rootless.update(Certificates.client)
        try rootless.update(Certificates.server)
        #expect(prove(rootless) == nil)
    }

    @Test func `is nothing if the destination is not who is expected, or of a domain without roots`() throws {
        let identities = try identities([Certificates.client, Certificates.server, Certificates.stranger])
        #expect(prove(identities, accepting: [Certificates.other.identity]) == nil)
        #expect(prove(identities, accepting: []) == nil)
        #expect(prove(identities, accepting: [Certificates.stranger.identity], Certificates.stranger) == nil)
    }

    @Test func `is nothing outside of the certificates' time`() throws {
        let identities = try identities()
        #expect(prove(identities, after: 3 * day) == nil)
        #expect(prove(identities, after: -3 * day) == nil)
    }

    @Test(arguments: [Certificates.client, Certificates.server])
    func `ends at once when either certificate is taken back`(svid: SVID) throws {
        let identities = try identities()
        var proof = try #require(prove(identities))
        #expect(identities.review(&proof) == nil)
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([svid.serial])
        identities.update(bundles)
        let end = try #require(identities.review(&proof))
        #expect(end.failure.reason == .certificateRevoked)
        #expect(end.isUrgent)
        #expect(prove(identities) == nil)
    }

    @Test func `ends in good time when their root is trusted no more, and lasts longer than they do`() throws {
        let identities = try identities()
        var proof = try #require(prove(identities))
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked(["01"])
        identities.update(bundles)
        identities.remove(Certificates.client.identity)
        #expect(identities.review(&proof) == nil)
        bundles.removeRoots(of: Certificates.mesh)
        identities.update(bundles)
        let end = try #require(identities.review(&proof))
        #expect(end.failure.reason == .trustDomainMismatch)
        #expect(!end.isUrgent)
    }
}
