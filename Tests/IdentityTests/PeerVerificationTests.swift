import Bytes
import Identity
import Mesh
import TLS
import TestSupport
import Testing

@Suite struct `A peer` {
    private func verify(
        _ chain: [Certificate], expecting expectation: PeerExpectation = .anyInTrustedDomains,
        bundles: TrustBundles? = nil,
        at now: Int64? = nil, cache: VerificationCache? = nil
    ) throws -> PeerVerification {
        let bundles = try bundles ?? Fixtures.bundles()
        let verification = PeerVerification(
            expecting: expectation, bundles: bundles, at: now ?? chain.first.map { $0.notBefore + 60 } ?? 0,
            cache: cache)
        let verdict = verification.verify(chain: chain)
        #expect((verdict == .accepted) == (verification.peerIdentity != nil))
        #expect((verdict == .accepted) == (verification.refusal == nil))
        if let refusal = verification.refusal {
            #expect(verdict == .refused(refusal.alert))
            #expect(!refusal.text.isEmpty)
        }
        return verification
    }

    @Test func `of a trusted domain is accepted under its identity`() throws {
        #expect(try verify(Fixtures.webLeaf).peerIdentity == Fixtures.web)
        let below = try Fixtures.home.makeIntermediate()
        #expect(try verify(Fixtures.chain(below, "spiffe://mesh/ns/shop/sa/web")).peerIdentity == Fixtures.web)
    }

    @Test func `is accepted by the dialling side only as one of those expected`() throws {
        let db = Fixtures.identity("db")
        #expect(try verify(Fixtures.webLeaf, expecting: .oneOf([Fixtures.web, db])).peerIdentity == Fixtures.web)
        let refusal = try #require(verify(Fixtures.webLeaf, expecting: .oneOf([db])).refusal)
        #expect(refusal.reason == .sanMismatch)
        #expect(refusal.text == "the peer is spiffe://mesh/ns/shop/sa/web, expected was spiffe://mesh/ns/shop/sa/db")
        #expect(try verify(Fixtures.webLeaf, expecting: .oneOf([])).refusal?.reason == .sanMismatch)
        let elsewhere = Fixtures.identity("web", Fixtures.abroad)
        #expect(try verify(Fixtures.webLeaf, expecting: .oneOf([elsewhere])).refusal?.reason == .trustDomainMismatch)
    }

    @Test func `without a certificate is refused`() throws {
        #expect(try verify([]).refusal?.reason == .peerNotMTLS)
    }

    @Test func `is refused once expired, at the second`() throws {
        let end = Fixtures.webLeaf[0].notAfter
        #expect(try verify(Fixtures.webLeaf, at: end - 1).refusal == nil)
        #expect(try verify(Fixtures.webLeaf, at: end + 1).refusal?.reason == .certificateExpired)
        #expect(try verify(Fixtures.webLeaf, at: end + 1).refusal?.alert == .certificateExpired)
    }

    @Test func `may be five minutes ahead, not more`() throws {
        let begin = Fixtures.webLeaf[0].notBefore
        // The root began when this test run did, so it is ahead as well and gets the same five minutes.
        let rootBegin = Fixtures.roots(Fixtures.home)[0].notBefore
        #expect(try verify(Fixtures.webLeaf, at: max(begin, rootBegin) - 299).refusal == nil)
        #expect(try verify(Fixtures.webLeaf, at: begin - 301).refusal?.reason == .certificateNotYetValid)
        #expect(try verify(Fixtures.webLeaf, at: .min).refusal?.reason == .certificateNotYetValid)
    }

    @Test func `signed by nobody's root or another domain's is refused`() throws {
        let impostor = try Fixtures.chain(Fixtures.foreign, "spiffe://mesh/ns/shop/sa/web")
        #expect(try verify(impostor).refusal?.reason == .trustDomainMismatch)
        // Federated with the very authority that signed it, but for its own domain only.
        #expect(
            try verify(impostor, bundles: Fixtures.bundles(federated: true)).refusal?.reason == .trustDomainMismatch)
    }

    @Test func `of a federated domain is accepted, and refused before and after`() throws {
        let guest = try Fixtures.chain(Fixtures.foreign, "spiffe://abroad.example/ns/shop/sa/web")
        #expect(try verify(guest).refusal?.reason == .trustDomainMismatch)
        var bundles = try Fixtures.bundles(federated: true)
        #expect(try verify(guest, bundles: bundles).peerIdentity == Fixtures.identity("web", Fixtures.abroad))
        bundles.removeRoots(of: Fixtures.abroad)
        #expect(try verify(guest, bundles: bundles).refusal?.reason == .trustDomainMismatch)
    }

    @Test(arguments: [
        [], ["DNS:web.shop"], ["URI:spiffe://mesh/ns/shop/sa/web", "URI:spiffe://mesh/ns/shop/sa/db"],
        ["URI:spiffe://mesh"],
        ["URI:spiffe://mesh/"], ["URI:spiffe://mesh/ns/shop/sa/web/"], ["URI:spiffe://me@mesh/ns/shop/sa/web"],
        ["URI:spiffe://mesh:80/ns/shop/sa/web"], ["URI:spiffe://mesh/ns/shop/sa/web?a=b"],
        ["URI:spiffe://mesh/ns/shop/sa/web\\#a"],
        ["URI:https://mesh/ns/shop/sa/web"], ["URI:SPIFFE://mesh/ns/shop/sa/web"],
        ["URI:spiffe://mesh/ns/shop/sa/%77eb"],
        ["URI:spiffe://MESH/ns/shop/sa/web"], ["URI:spiffe://mesh/ns/../sa/web"],
        ["URI:spiffe://mesh/ns/shop/sa/\(String(repeating: "w", count: 2048))"],
    ])
    func `whose names are not exactly one SPIFFE ID is refused`(sans: [String]) throws {
        let chain = try Certificate.parsePEM(Fixtures.home.issue(sans: sans).chainPEM)
        let refusal = try #require(verify(chain).refusal)
        #expect(refusal.reason == .sanMismatch)
        #expect(refusal.text.utf8.count < 500)
    }

    @Test func `with a DNS name beside its SPIFFE ID is accepted`() throws {
        let issued = try Fixtures.home.issue(sans: ["DNS:web.shop", "URI:spiffe://mesh/ns/shop/sa/web"])
        #expect(try verify(Certificate.parsePEM(issued.chainPEM)).peerIdentity == Fixtures.web)
    }

    @Test(
        arguments: [
            (true, "critical,digitalSignature", "serverAuth,clientAuth"),
            (false, "critical,keyCertSign", "serverAuth,clientAuth"),
            (false, "critical,digitalSignature,cRLSign", nil), (false, "critical,digitalSignature", "serverAuth"),
            (false, "critical,digitalSignature", "clientAuth"), (false, "critical,digitalSignature", "codeSigning"),
        ] as [(Bool, String, String?)])
    func `with a certificate that is not a workload's is refused`(isCA: Bool, usage: String, extended: String?) throws {
        let issued = try Fixtures.home.issue(
            sans: ["URI:spiffe://mesh/ns/shop/sa/web"], isCA: isCA, keyUsage: usage, extendedKeyUsage: extended)
        let refusal = try #require(verify(Certificate.parsePEM(issued.chainPEM)).refusal)
        #expect(refusal.reason == .peerNotMTLS)
        #expect(refusal.alert == .unsupportedCertificate)
    }

    @Test func `with no key usage extensions at all is accepted`() throws {
        let issued = try Fixtures.home.issue(
            sans: ["URI:spiffe://mesh/ns/shop/sa/web"], keyUsage: nil, extendedKeyUsage: nil)
        #expect(try verify(Certificate.parsePEM(issued.chainPEM)).peerIdentity == Fixtures.web)
    }

    @Test func `cannot sign for others with its own certificate`() throws {
        // The leaf's key is not a CA's: a certificate below it must not be believed, whatever it says.
        let below = try Fixtures.home.makeIntermediate()
        let signed = try Fixtures.chain(below, "spiffe://mesh/ns/shop/sa/web")
        #expect(try verify([signed[0]] + Fixtures.webLeaf).refusal?.reason == .trustDomainMismatch)
    }

    @Test func `is verified once while the cache knows it`() throws {
        let cache = VerificationCache()
        var bundles = try Fixtures.bundles()
        for _ in 0..<3 {
            #expect(try verify(Fixtures.webLeaf, bundles: bundles, cache: cache).peerIdentity == Fixtures.web)
        }
        #expect(cache.hitCount == 2)
        // What is cached is who it is, never whether it was expected.
        #expect(
            try verify(Fixtures.webLeaf, expecting: .oneOf([Fixtures.identity("db")]), bundles: bundles, cache: cache)
                .refusal?.reason
                == .sanMismatch)
        #expect(cache.hitCount == 3)
        // Expired, not begun, or other roots: the cache does not answer.
        let end = Fixtures.webLeaf[0].notAfter
        #expect(
            try verify(Fixtures.webLeaf, bundles: bundles, at: end + 1, cache: cache).refusal?.reason
                == .certificateExpired)
        #expect(
            try verify(Fixtures.webLeaf, bundles: bundles, at: end - 90_000, cache: cache).refusal?.reason
                == .certificateNotYetValid)
        try bundles.replaceRoots(of: Fixtures.mesh, with: Fixtures.roots(Fixtures.foreign))
        #expect(try verify(Fixtures.webLeaf, bundles: bundles, cache: cache).refusal?.reason == .trustDomainMismatch)
        #expect(cache.hitCount == 3)
    }

    @Test func `leaves no trace in the cache when refused`() throws {
        let cache = VerificationCache(capacity: 1)
        _ = try verify(Fixtures.chain(Fixtures.foreign, "spiffe://mesh/ns/shop/sa/web"), cache: cache)
        #expect(cache.count == 0)
        _ = try verify(Fixtures.webLeaf, cache: cache)
        _ = try verify(Fixtures.chain(Fixtures.home, "spiffe://mesh/ns/shop/sa/db"), cache: cache)
        #expect(cache.count == 1)
    }

    @Test func `is verified in a real handshake`() throws {
        let client = try Fixtures.svid("web")
        let server = try Fixtures.svid("db")
        let now = max(client.notBefore, server.notBefore)
        let accepting = PeerVerification(expecting: .anyInTrustedDomains, bundles: try Fixtures.bundles(), at: now)
        let dialling = PeerVerification(expecting: .oneOf([Fixtures.web]), bundles: try Fixtures.bundles(), at: now)
        let pool = BufferPool(blockSize: 1 << 16, keepAtMost: 4)
        let down = try TLSConnection(
            context: TLSContext(role: .client, chain: client.chain, key: client.key), verifier: dialling)
        let up = try TLSConnection(
            context: TLSContext(role: .server, chain: server.chain, key: server.key), verifier: accepting)
        try down.startHandshake()
        var wire = pool.makeBuffer()
        var plaintext = pool.makeBuffer()
        down.flushPending(into: &wire)
        _ = try wire.withReadable { span in try up.process(ciphertext: span, plaintext: &plaintext) }
        wire.removeAll()
        up.flushPending(into: &wire)
        // The dialling side expects web and meets db.
        #expect(throws: TLSError.self) {
            _ = try wire.withReadable { span in try down.process(ciphertext: span, plaintext: &plaintext) }
        }
        #expect(dialling.refusal?.reason == .sanMismatch)
        #expect(accepting.peerIdentity == nil)
    }
}

@Suite struct `An SVID` {
    @Test func `is refused when it is for another identity or key`() throws {
        let issued = try Fixtures.home.issue(sans: ["URI:spiffe://mesh/ns/shop/sa/web"])
        let chain = try Certificate.parsePEM(issued.chainPEM)
        let key = try PrivateKey(pem: issued.keyPEM)
        let code = { (error: (any Error)?) in (error as? IdentityError)?.code }
        #expect(try SVID(identity: Fixtures.web, chain: chain, key: key, version: 1).notAfter == chain[0].notAfter)
        #expect(
            code(
                #expect(throws: IdentityError.self) {
                    try SVID(identity: Fixtures.identity("db"), chain: chain, key: key, version: 1)
                }) == .otherIdentity)
        #expect(
            code(
                #expect(throws: IdentityError.self) {
                    try SVID(identity: Fixtures.web, chain: chain, key: .generate(), version: 1)
                }) == .otherKey)
        #expect(
            code(
                #expect(throws: IdentityError.self) {
                    try SVID(identity: Fixtures.web, chain: Fixtures.roots(Fixtures.home), key: key, version: 1)
                }) == .notSVID)
        #expect(
            code(
                #expect(throws: IdentityError.self) {
                    try SVID(identity: Fixtures.web, chain: [], key: key, version: 1)
                }) == .badCertificate)
    }
}

@Suite struct `Trust bundles` {
    @Test func `count a version up only when something changes`() throws {
        var bundles = try Fixtures.bundles()
        let version = bundles.version
        try bundles.replaceRoots(of: Fixtures.mesh, with: Fixtures.roots(Fixtures.home))
        bundles.removeRoots(of: Fixtures.abroad)
        #expect(bundles.version == version)
        #expect(throws: IdentityError.self) { try bundles.replaceRoots(of: Fixtures.mesh, with: []) }
        #expect(throws: IdentityError.self) { try bundles.replaceRoots(of: Fixtures.mesh, with: Fixtures.webLeaf) }
        #expect(bundles.version == version)
        #expect(bundles.roots(of: Fixtures.mesh) == Fixtures.roots(Fixtures.home))
        try bundles.replaceRoots(
            of: Fixtures.mesh, with: Fixtures.roots(Fixtures.home) + Fixtures.roots(Fixtures.foreign))
        #expect(bundles.version == version + 1)
    }
}
