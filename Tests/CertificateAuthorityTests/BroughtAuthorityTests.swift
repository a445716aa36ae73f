import Foundation
import Mesh
import Testing

@testable import CertificateAuthority

/// A root, an authority between, and an issuer, made by openssl now.
@Suite struct `An authority that the operator brings` {
    let workshop: Workshop
    let now: Int64

    init() throws {
        workshop = try Workshop()
        // openssl signs for now, so these tests cannot choose their time; a minute later all of it is valid.
        now = Int64(Date().timeIntervalSince1970) + 60
        try workshop.write(
            """
            [req]
            distinguished_name = name
            [name]
            [ca]
            basicConstraints = critical,CA:true
            keyUsage = critical,keyCertSign
            subjectKeyIdentifier = hash
            [leaf]
            basicConstraints = critical,CA:false
            [nosign]
            basicConstraints = critical,CA:true
            keyUsage = critical,digitalSignature
            """, "ca.cnf")
        try root("root", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"])
        try certificate("middle", by: "root")
        try certificate("issuer", by: "middle")
    }

    private func root(_ name: String, _ key: [String]) throws {
        try workshop.openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "\(name).key")
        try workshop.setMode(0o600, "\(name).key")
        try workshop.openssl(
            "req", "-x509", "-config", "ca.cnf", "-extensions", "ca", "-key", "\(name).key", "-out", "\(name).pem",
            "-days",
            "100", "-subj", "/CN=\(name)")
    }

    private func certificate(
        _ name: String, by issuer: String, section: String = "ca",
        algorithm: [String] = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    ) throws {
        switch algorithm[0] {
        case "RSA": try workshop.openssl("genrsa", "-out", "\(name).key", "2048")
        default:
            try workshop.openssl(
                "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "\(name).key")
        }
        try workshop.setMode(0o600, "\(name).key")
        try workshop.openssl(
            "req", "-new", "-config", "ca.cnf", "-key", "\(name).key", "-out", "\(name).csr", "-subj", "/CN=\(name)")
        try workshop.openssl(
            "x509", "-req", "-in", "\(name).csr", "-CA", "\(issuer).pem", "-CAkey", "\(issuer).key", "-set_serial", "7",
            "-extfile", "ca.cnf", "-extensions", section, "-days", "50", "-out", "\(name).pem")
    }

    private func paths(
        _ certificate: String = "issuer", key: String? = nil, chain: String? = "chain", roots: String = "root"
    ) -> AuthorityPaths {
        AuthorityPaths(
            certificate: "\(workshop.path)/\(certificate).pem", key: "\(workshop.path)/\(key ?? certificate).key",
            chain: chain.map { "\(workshop.path)/\($0).pem" }, roots: "\(workshop.path)/\(roots).pem")
    }

    private func open(_ paths: AuthorityPaths, now: Int64? = nil) throws -> CertificateIssuer {
        try CertificateIssuer(paths, trustDomain: testDomain, now: now ?? self.now)
    }

    private func verify(_ issued: IssuedCertificate) throws {
        try workshop.write(issued.chainPEM[0], "out-leaf.pem")
        try workshop.write(issued.chainPEM.dropFirst().dropLast().joined(), "out-between.pem")
        try workshop.write(try #require(issued.chainPEM.last), "out-root.pem")
        try workshop.openssl("verify", "-CAfile", "out-root.pem", "-untrusted", "out-between.pem", "out-leaf.pem")
    }

    @Test func `signs through its whole chain, in whatever order the files have it`() throws {
        for chain in [["issuer", "middle", "root"], ["middle"], ["root", "middle", "issuer"]] {
            try workshop.write(try chain.map { try workshop.text("\($0).pem") }.joined(), "chain.pem", mode: 0o644)
            let issuer = try open(paths())
            let issued = try issuer.sign(
                requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: now)
            #expect(issued.chain.count == 3)
            try verify(issued)
        }
    }

    @Test func `may be a root that signs itself, or an RSA issuer`() throws {
        let issued = try open(paths("root", chain: nil)).sign(
            requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: now)
        #expect(issued.chain.count == 1)
        try workshop.openssl("version")
        try workshop.write(issued.chainPEM[0], "out-leaf.pem")
        try workshop.openssl("verify", "-CAfile", "root.pem", "out-leaf.pem")
        try certificate("rsa", by: "root", algorithm: ["RSA"])
        try verify(
            try open(paths("rsa", chain: nil)).sign(
                requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: now))
    }

    @Test func `gives out every root that it trusts`() throws {
        try root("new", [])
        try workshop.write(try workshop.text("new.pem") + workshop.text("root.pem"), "both.pem", mode: 0o644)
        try workshop.write(try workshop.text("middle.pem"), "chain.pem", mode: 0o644)
        let issuer = try open(paths(roots: "both"))
        #expect(issuer.status.roots.map(\.subject) == ["new", "root"] && issuer.status.issuer.subject == "issuer")
        let issued = try issuer.sign(requestDER: try workshop.request(Workshop.p256), identity: testIdentity, now: now)
        #expect(issued.roots.count == 2)
        try verify(issued)
    }

    @Test func `is refused when its parts do not belong together`() throws {
        try root("stranger", [])
        try certificate("leaf", by: "root", section: "leaf")
        try certificate("nosign", by: "root", section: "nosign")
        try workshop.write(try workshop.text("middle.pem"), "chain.pem", mode: 0o644)
        let cases: [(AuthorityPaths, String)] = [
            (paths(key: "middle"), "middle.key"), (paths(chain: nil), "CN=middle"),
            (paths(roots: "stranger"), "stranger.pem"),
            (paths("leaf", chain: nil), "leaf.pem"), (paths("nosign", chain: nil), "nosign.pem"),
        ]
        for (paths, word) in cases {
            let error = refusal { try open(paths) }
            #expect(
                error?.code == .invalidAuthority && error?.message.contains(word) == true,
                "\(word): \(error?.message ?? "")")
        }
    }

    @Test func `is refused before and after its time`() throws {
        try workshop.write(try workshop.text("middle.pem"), "chain.pem", mode: 0o644)
        #expect(refusal { try open(paths(), now: now - 86400) }?.code == .authorityExpired)
        #expect(refusal { try open(paths(), now: now + 60 * 86400) }?.code == .authorityExpired)
    }

    @Test func `may reach its files by links, whose target's permissions count`() throws {
        try workshop.write(try workshop.text("middle.pem"), "chain.pem", mode: 0o644)
        try FileManager.default.createSymbolicLink(
            atPath: "\(workshop.path)/link.key", withDestinationPath: "issuer.key")
        _ = try open(paths(key: "link"))
        try workshop.setMode(0o644, "issuer.key")
        #expect(refusal { try open(paths(key: "link")) }?.code == .permissionsTooOpen)
    }

    @Test func `never quotes a key in an error`() throws {
        try workshop.write(try workshop.text("middle.pem"), "chain.pem", mode: 0o644)
        let secret = try workshop.text("issuer.key").split(separator: "\n")[1]
        try workshop.write("-----BEGIN PRIVATE KEY-----\n\(secret)\n-----END PRIVATE KEY-----\n", "issuer.key")
        let error = refusal { try open(paths()) }
        #expect(error?.code == .invalidAuthority && error?.message.contains(secret.prefix(8)) == false)
    }
}
