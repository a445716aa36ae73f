import Foundation
import TLS
import TestSupport
import Testing

@Suite struct `A certificate` {
    @Test func `says what the mesh asks about`() throws {
        let leaf = try #require(Fixtures.first.chain.first)
        #expect(leaf.uriSANs == ["spiffe://mesh/ns/a/sa/first"])
        #expect(!leaf.isCA)
        #expect(leaf.keyUsage == .digitalSignature)
        #expect(leaf.extendedKeyUsage == [.serverAuth, .clientAuth])
        #expect(leaf.notAfter - leaf.notBefore == 86_400)
        let now = Int64(Date().timeIntervalSince1970)
        #expect((now - 3600...now).contains(leaf.notBefore))
        #expect(leaf.serial.count == 16)
        #expect(leaf.fingerprint.description.count == 64)
        #expect(leaf.subject == "")

        let root = try #require(Certificate.parsePEM(Fixtures.authority.rootPEM).first)
        #expect(root.isCA)
        #expect(root.keyUsage == [.certificateSign, .crlSign])
        #expect(root.extendedKeyUsage == nil)
        #expect(root.subject.hasPrefix("O = fixture"))
    }

    @Test func `lists every URI of its subjectAltName and nothing else`() throws {
        let issued = try Fixtures.authority.issue(sans: ["DNS:a.example", "URI:spiffe://x/1", "URI:https://y/2"])
        #expect(try Certificate.parsePEM(issued.chainPEM).first?.uriSANs == ["spiffe://x/1", "https://y/2"])
    }

    @Test func `is not read when cut, prolonged or changed into nonsense, and never traps`() throws {
        let der = try #require(Fixtures.first.chain.first).der
        #expect(try Certificate(der: der) == Fixtures.first.chain[0])
        for count in 0..<der.count {
            #expect(throws: TLSError.self) { try Certificate(der: Array(der[..<count])) }
        }
        #expect(throws: TLSError.self) { try Certificate(der: der + [0]) }
        for index in der.indices {
            for flip: UInt8 in [0x01, 0x20, 0x80, 0xff] {
                var changed = der
                changed[index] ^= flip
                if let read = try? Certificate(der: changed) {
                    #expect(read.fingerprint != Fixtures.first.chain[0].fingerprint)
                }
            }
        }
    }

    @Test func `is read from PEM among other blocks, in order`() throws {
        let text = Fixtures.first.issued.keyPEM + Fixtures.second.issued.chainPEM + Fixtures.first.issued.chainPEM
        #expect(try Certificate.parsePEM(text) == Fixtures.second.chain + Fixtures.first.chain)
        #expect(try Certificate.parsePEM([]).isEmpty)
        #expect(try Certificate.parsePEM(Array("no certificate".utf8)).isEmpty)
        let broken = String(decoding: Fixtures.first.issued.chainPEM, as: UTF8.self).replacingOccurrences(
            of: "MII", with: "!!!")
        #expect(throws: TLSError.self) { try Certificate.parsePEM(Array(broken.utf8)) }
    }

    @Test func `is written as the PEM that it is read from`() throws {
        let leaf = Fixtures.first.chain[0]
        #expect(try Certificate.parsePEM(Array(PEM.encode(label: "CERTIFICATE", der: leaf.der).utf8)) == [leaf])
    }
}

@Suite struct `A private key` {
    @Test func `comes back from its DER and matches its own certificate only`() throws {
        let key = try PrivateKey(der: Fixtures.first.key.der())
        #expect(key.matches(Fixtures.first.chain[0]))
        #expect(!key.matches(Fixtures.second.chain[0]))
        #expect(!(try PrivateKey.generate().matches(Fixtures.first.chain[0])))
    }

    @Test func `is not read from nonsense, and never traps`() throws {
        let der = try Fixtures.first.key.der()
        for count in 0..<der.count { #expect(throws: TLSError.self) { try PrivateKey(der: Array(der[..<count])) } }
        #expect(throws: TLSError.self) { try PrivateKey(der: der + [0]) }
        #expect(throws: TLSError.self) { try PrivateKey(pem: []) }
        #expect(throws: TLSError.self) { try PrivateKey(pem: Fixtures.first.issued.chainPEM) }
    }

    @Test func `must be the certificate's in a context`() throws {
        #expect(throws: TLSError.self) {
            try TLSContext(role: .server, chain: Fixtures.first.chain, key: Fixtures.second.key)
        }
        #expect(throws: TLSError.self) { try TLSContext(role: .server, chain: [], key: Fixtures.second.key) }
    }

    @Test func `makes a request that an authority can sign`() throws {
        let key = try PrivateKey.generate()
        let request = try makeCSR(key: key, uriSAN: "spiffe://mesh/ns/a/sa/b")
        #expect(request.count > 100)
        let issued = try Fixtures.authority.issue(sans: ["URI:spiffe://mesh/ns/a/sa/b"], requestDER: request)
        #expect(key.matches(try #require(Certificate.parsePEM(issued.chainPEM).first)))
        // The URI stands in the request as it was given, whatever it contains.
        let odd = try makeCSR(key: key, uriSAN: "spiffe://m/ns/a,DNS:evil/sa/b")
        #expect(Data(odd).range(of: Data("spiffe://m/ns/a,DNS:evil/sa/b".utf8)) != nil)
    }
}

@Suite struct `A trust store` {
    private let chain = Fixtures.first.chain
    private func roots() throws -> [Certificate] { try Certificate.parsePEM(Fixtures.authority.rootPEM) }

    @Test func `trusts a chain to its roots while all of it is valid`() throws {
        let store = try TrustStore(roots: roots())
        let leaf = chain[0]
        #expect(store.verifies(chain: chain, at: leaf.notBefore) == .trusted(validUntil: leaf.notAfter))
        #expect(store.verifies(chain: chain, at: leaf.notAfter - 1) == .trusted(validUntil: leaf.notAfter))
        #expect(store.verifies(chain: chain, at: leaf.notAfter + 1) == .expired)
        #expect(store.verifies(chain: chain, at: leaf.notBefore - 100) == .notYetValid)
        #expect(
            store.verifies(chain: chain, at: leaf.notBefore - 100, notBeforeTolerance: 3600)
                == .trusted(validUntil: leaf.notAfter))
        #expect(store.verifies(chain: chain, at: leaf.notAfter + 1, notBeforeTolerance: 3600) == .expired)
    }

    @Test func `trusts nobody else's`() throws {
        let other = try FixtureAuthority()
        let store = try TrustStore(roots: Certificate.parsePEM(other.rootPEM))
        guard case .untrusted = store.verifies(chain: chain, at: chain[0].notBefore) else {
            Issue.record("a chain of another root was trusted")
            return
        }
        #expect(
            try TrustStore(roots: Certificate.parsePEM(other.rootPEM) + roots()).verifies(
                chain: chain, at: chain[0].notBefore)
                == .trusted(validUntil: chain[0].notAfter))
        guard case .untrusted = store.verifies(chain: [], at: 0) else {
            Issue.record("an empty chain was trusted")
            return
        }
    }

    @Test func `needs the intermediates`() throws {
        let below = try Fixtures.authority.makeIntermediate()
        let issued = try Certificate.parsePEM(below.issue(sans: ["URI:spiffe://mesh/ns/a/sa/b"]).chainPEM)
        #expect(issued.count == 2)
        let store = try TrustStore(roots: roots())
        let now = issued[0].notBefore + 1
        #expect(store.verifies(chain: issued, at: now) == .trusted(validUntil: issued[1].notAfter))
        guard case .untrusted = store.verifies(chain: [issued[0]], at: now) else {
            Issue.record("trusted without the intermediate")
            return
        }
    }

    @Test func `does not let a leaf sign`() throws {
        let leaf = Fixtures.first.chain
        #expect(throws: TLSError.self) { try TrustStore(roots: leaf) }
        #expect(throws: TLSError.self) { try TrustStore(roots: []) }
    }
}
