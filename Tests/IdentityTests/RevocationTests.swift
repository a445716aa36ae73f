import Identity
import Mesh
import TLS
import Testing

@Suite struct `A certificate that was taken back` {
    private func verification(
        _ chain: [Certificate], _ bundles: TrustBundles, cache: VerificationCache? = nil
    ) -> PeerVerification {
        let verification = PeerVerification(
            expecting: .anyInTrustedDomains, bundles: bundles, at: chain[0].notBefore + 60, cache: cache)
        _ = verification.verify(chain: chain)
        return verification
    }

    @Test func `is refused, however its serial number is written`() throws {
        let chain = try Fixtures.chain(Fixtures.home, "spiffe://mesh/ns/shop/sa/taken")
        for serial in [chain[0].serial, "00" + chain[0].serial.uppercased(), "0:" + chain[0].serial] {
            var bundles = try Fixtures.bundles()
            bundles.replaceRevoked([serial])
            let refusal = try #require(verification(chain, bundles).refusal)
            #expect(refusal.reason == .certificateRevoked && refusal.alert == .certificateRevoked)
            #expect(refusal.text.contains(chain[0].serial) && refusal.endsTunnelsAtOnce)
            #expect(verification(Fixtures.webLeaf, bundles).peerIdentity == Fixtures.web)
        }
    }

    @Test func `is refused with the authority's certificate above it`() throws {
        let below = try Fixtures.home.makeIntermediate()
        let chain = try Fixtures.chain(below, "spiffe://mesh/ns/shop/sa/web")
        var bundles = try Fixtures.bundles()
        bundles.replaceRevoked([chain[1].serial])
        let refusal = try #require(verification(chain, bundles).refusal)
        #expect(refusal.reason == .certificateRevoked && refusal.text.contains("above the peer's"))
    }

    @Test func `is refused although it was accepted before, and accepted again when that is undone`() throws {
        let cache = VerificationCache()
        var bundles = try Fixtures.bundles()
        #expect(verification(Fixtures.webLeaf, bundles, cache: cache).refusal == nil)
        let version = bundles.version
        bundles.replaceRevoked([Fixtures.webLeaf[0].serial])
        #expect(bundles.version == version + 1)
        bundles.replaceRevoked([Fixtures.webLeaf[0].serial.uppercased()])
        #expect(bundles.version == version + 1)
        #expect(verification(Fixtures.webLeaf, bundles, cache: cache).refusal?.reason == .certificateRevoked)
        bundles.replaceRevoked([])
        #expect(verification(Fixtures.webLeaf, bundles, cache: cache).refusal == nil)
    }

    @Test func `ends tunnels that are up`() throws {
        var bundles = try Fixtures.bundles()
        let up = verification(Fixtures.webLeaf, bundles)
        #expect(up.reverify(chain: Fixtures.webLeaf, bundles: bundles) == nil)
        bundles.replaceRevoked([Fixtures.webLeaf[0].serial])
        let refusal = try #require(up.reverify(chain: Fixtures.webLeaf, bundles: bundles))
        #expect(refusal.reason == .certificateRevoked && refusal.endsTunnelsAtOnce)
        // What was found in the handshake stays known.
        #expect(up.peerIdentity == Fixtures.web && up.refusal == nil)
    }

    @Test func `differs from one whose root is gone: such tunnels end when their streams do`() throws {
        let up = verification(Fixtures.webLeaf, try Fixtures.bundles())
        let other = try TrustBundles(own: Fixtures.mesh, roots: Fixtures.roots(Fixtures.foreign))
        let refusal = try #require(up.reverify(chain: Fixtures.webLeaf, bundles: other))
        #expect(refusal.reason == .trustDomainMismatch && !refusal.endsTunnelsAtOnce)
        let both = try TrustBundles(
            own: Fixtures.mesh, roots: Fixtures.roots(Fixtures.foreign) + Fixtures.roots(Fixtures.home))
        #expect(up.reverify(chain: Fixtures.webLeaf, bundles: both) == nil)
    }

    @Test func `is nothing that a tunnel without a peer could have`() throws {
        let never = PeerVerification(expecting: .oneOf([]), bundles: try Fixtures.bundles(), at: 0)
        #expect(never.reverify(chain: Fixtures.webLeaf, bundles: try Fixtures.bundles()) != nil)
    }
}
