import Foundation
import Mesh
import TLS
import Testing

@testable import CertificateAuthority

@Suite struct `A certificate issuer` {
    let workshop: Workshop
    let issuer: CertificateIssuer

    init() throws {
        workshop = try Workshop()
        issuer = try AuthorityDirectory(path: workshop.path + "/ca", trustDomain: testDomain).open(now: testNow)
    }

    private func leaf(_ issued: IssuedCertificate) throws -> TLS.Certificate {
        try TLS.Certificate(der: try #require(issued.chain.first))
    }

    @Test func `signs what openssl verifies up to the root`() throws {
        let issued = try issuer.sign(
            requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: testNow)
        #expect(issued.chainPEM.count == 3 && issued.chain.count == 2 && issued.roots.count == 1)
        try workshop.write(issued.chainPEM[0], "leaf.pem")
        try workshop.write(issued.chainPEM[1], "issuer.pem")
        try workshop.write(issued.chainPEM[2], "root.pem")
        for purpose in ["sslserver", "sslclient"] {
            let output = try workshop.openssl(
                "verify", "-x509_strict", "-attime", "\(testNow)", "-purpose", purpose, "-CAfile", "root.pem",
                "-untrusted", "issuer.pem", "leaf.pem")
            #expect(output.contains("leaf.pem: OK"))
        }
        // The link that people use leads to the same root, and without the issuer nothing verifies.
        try workshop.openssl(
            "verify", "-attime", "\(testNow)", "-CAfile", "ca/root-cert.pem", "-untrusted", "issuer.pem", "leaf.pem")
        #expect(throws: Workshop.CommandFailed.self) {
            try workshop.openssl("verify", "-attime", "\(testNow)", "-CAfile", "root.pem", "leaf.pem")
        }
        let text = try workshop.openssl("x509", "-in", "leaf.pem", "-noout", "-text", "-certopt", "ext_parse")
        #expect(text.contains("Subject: \n") || text.contains("Subject:\n"))
        #expect(text.contains("X509v3 Subject Alternative Name: critical"))
        #expect(text.contains("X509v3 Key Usage: critical\n                Digital Signature\n"))
        #expect(text.contains("X509v3 Basic Constraints: critical\n                CA:FALSE"))
        #expect(text.contains("TLS Web Server Authentication, TLS Web Client Authentication"))
    }

    @Test func `signs what the agent's own TLS trusts`() throws {
        let key = try TLS.PrivateKey.generate()
        let request = try makeCSR(key: key, uriSAN: testIdentity.description)
        let issued = try issuer.sign(requestDER: request, identity: testIdentity, now: testNow)
        let chain = try issued.chain.map { try TLS.Certificate(der: $0) }
        let store = try TrustStore(roots: try issued.roots.map { try TLS.Certificate(der: $0) })
        #expect(store.verifies(chain: chain, at: testNow) == .trusted(validUntil: issued.notAfter))
        #expect(key.matches(chain[0]))
        #expect(chain[0].uriSANs == [testIdentity.description] && !chain[0].isCA)
        #expect(chain[0].keyUsage == .digitalSignature && chain[0].extendedKeyUsage == [.serverAuth, .clientAuth])
        #expect(chain[1].isCA && chain[1].keyUsage == [.certificateSign, .crlSign])
    }

    @Test func `takes the names from the authorisation and none from the request`() throws {
        let request = try workshop.request(
            Workshop.p256,
            extensions: """
                subjectAltName = URI:spiffe://mesh.test/ns/kube-system/sa/admin,DNS:evil.example.com
                basicConstraints = critical,CA:true
                keyUsage = keyCertSign
                """)
        let certificate = try leaf(try issuer.sign(requestDER: request, identity: testIdentity, now: testNow))
        #expect(certificate.uriSANs == [testIdentity.description] && !certificate.isCA)
        #expect(certificate.keyUsage == .digitalSignature)
        try workshop.write(certificate.der, "leaf.der")
        let text = try workshop.openssl("x509", "-inform", "DER", "-in", "leaf.der", "-noout", "-text")
        #expect(!text.contains("evil") && !text.contains("admin"))
    }

    @Test(arguments: [(0, 86400), (-5, 86400), (3600, 3600), (.max, 86400)] as [(Int64, Int64)])
    func `gives the lifetime that was asked for, within its limit`(wanted: Int64, given: Int64) throws {
        let issued = try issuer.sign(
            requestDER: try workshop.request(Workshop.p256), identity: testIdentity, lifetimeInSeconds: wanted,
            now: testNow)
        #expect(issued.notAfter == testNow + given && issued.notBefore == testNow - 300)
        let certificate = try leaf(issued)
        #expect(certificate.notAfter == issued.notAfter && certificate.notBefore == issued.notBefore)
    }

    @Test func `never outlives the certificates above it`() throws {
        let request = try workshop.request(Workshop.p256)
        let end = issuer.status.issuer.notAfter
        let last = try issuer.sign(requestDER: request, identity: testIdentity, now: end - 60)
        #expect(last.notAfter == end)
        #expect(
            refusal { try issuer.sign(requestDER: request, identity: testIdentity, now: end + 1) }?.code
                == .authorityExpired)
        #expect(
            refusal { try issuer.sign(requestDER: request, identity: testIdentity, now: .max) }?.code
                == .authorityExpired)
        let start = issuer.status.issuer.notBefore
        #expect(try issuer.sign(requestDER: request, identity: testIdentity, now: start).notBefore == start)
        #expect(
            refusal { try issuer.sign(requestDER: request, identity: testIdentity, now: .min) }?.code
                == .authorityExpired)
    }

    @Test func `gives every certificate a serial number of its own`() throws {
        let request = try workshop.request(Workshop.p256)
        let serials = try (0..<50).map { _ in
            try leaf(try issuer.sign(requestDER: request, identity: testIdentity, now: testNow)).serial
        }
        #expect(Set(serials).count == 50)
        #expect(serials.allSatisfy { $0.count <= 34 } && serials.contains { $0.count > 28 })
    }

    @Test func `refuses an identity of another trust domain`() throws {
        let other = SPIFFEID(trustDomain: TrustDomain("other")!, namespace: "pay", serviceAccount: "api")
        let request = try workshop.request(Workshop.p256)
        #expect(
            refusal { try issuer.sign(requestDER: request, identity: other, now: testNow) }?.code == .identityRefused)
    }

    @Test(arguments: [
        ["-newkey", "rsa:2048"], ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], ["-newkey", "ed25519"],
    ])
    func `refuses keys that are not P-256`(arguments: [String]) throws {
        let request = try workshop.request(arguments)
        let error = refusal { try issuer.sign(requestDER: request, identity: testIdentity, now: testNow) }
        #expect(error?.code == .invalidRequest && error?.message.contains("P-256") == true)
    }

    @Test func `refuses a request that its key did not sign`() throws {
        // The key of one request in the other: same length, so the structure stays sound.
        let one = try workshop.request(Workshop.p256)
        let two = try workshop.request(Workshop.p256)
        let marker: [UInt8] = [0x03, 0x42, 0x00, 0x04]
        let position = try #require(one.firstRange(of: marker)).upperBound
        var mixed = one
        mixed.replaceSubrange(position..<(position + 64), with: two[position..<(position + 64)])
        let error = refusal { try issuer.sign(requestDER: mixed, identity: testIdentity, now: testNow) }
        #expect(error?.code == .invalidRequest && error?.message.contains("signed") == true)
    }

    @Test func `refuses truncated, padded and random requests without a trap`() throws {
        let request = try workshop.request(Workshop.p256)
        for length in 0..<request.count {
            let error = refusal {
                try issuer.sign(requestDER: Array(request[..<length]), identity: testIdentity, now: testNow)
            }
            #expect(error?.code == .invalidRequest, "\(length) bytes")
        }
        #expect(
            refusal { try issuer.sign(requestDER: request + [0], identity: testIdentity, now: testNow) }?.code
                == .invalidRequest)
        let huge = [UInt8](repeating: 0x30, count: 20000)
        #expect(
            refusal { try issuer.sign(requestDER: huge, identity: testIdentity, now: testNow) }?.code == .invalidRequest
        )
        for index in request.indices {
            for bit in [0x01, 0x10, 0x80] as [UInt8] {
                var mutant = request
                mutant[index] ^= bit
                // Whatever it has become, what is signed is still only the authorised identity.
                guard let issued = try? issuer.sign(requestDER: mutant, identity: testIdentity, now: testNow) else {
                    continue
                }
                #expect(try leaf(issued).uriSANs == [testIdentity.description])
            }
        }
    }

    @Test func `reads requests in PEM and refuses other text`() throws {
        let request = try workshop.request(Workshop.p256)
        let pem = try PEM.encode(label: "CERTIFICATE REQUEST", der: request)
        #expect(try issuer.sign(requestPEM: pem, identity: testIdentity, now: testNow).chain.count == 2)
        let texts = [
            "", "hello", try PEM.encode(label: "CERTIFICATE", der: request), String(pem.prefix(100)),
            "-----BEGIN CERTIFICATE REQUEST-----\n!\n-----END CERTIFICATE REQUEST-----\n",
            String(repeating: "x", count: 100_000),
        ]
        for text in texts {
            #expect(
                refusal { try issuer.sign(requestPEM: text, identity: testIdentity, now: testNow) }?.code
                    == .invalidRequest)
        }
    }

    @Test func `tells when its certificates end`() throws {
        let status = issuer.status
        #expect(status.roots.count == 1 && status.roots[0].notAfter == testNow + 3650 * 86400)
        #expect(status.issuer.notAfter == testNow + 365 * 86400)
        #expect(
            status.issuer.subject.hasPrefix("meshnode issuer ") && status.roots[0].subject.hasPrefix("meshnode root "))
        #expect(
            status.issuer.serial
                == (try TLS.Certificate(
                    der: try issuer.sign(
                        requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: testNow
                    ).chain[1])).serial)
    }
}

@Suite struct `The signing policy` {
    @Test func `lets a node have only the identities of its own pods`() {
        let other = SPIFFEID(trustDomain: testDomain, namespace: "pay", serviceAccount: "other")
        let policy = SigningPolicy(identitiesOnNode: [testIdentity])
        #expect(refusal { try policy.authorize(testIdentity) } == nil)
        let error = refusal { try policy.authorize(other) }
        #expect(
            error?.code == .identityRefused && error?.message.contains("spiffe://mesh.test/ns/pay/sa/other") == true)
        #expect(refusal { try SigningPolicy(identitiesOnNode: []).authorize(testIdentity) }?.code == .identityRefused)
    }
}
