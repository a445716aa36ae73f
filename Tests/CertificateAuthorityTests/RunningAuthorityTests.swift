import Foundation
import Identity
import Mesh
import TLS
import Testing

@testable import CertificateAuthority

@Suite struct `A running authority` {
    let workshop: Workshop
    let directory: AuthorityDirectory
    let authority: RunningAuthority

    init() throws {
        workshop = try Workshop()
        directory = AuthorityDirectory(path: workshop.path + "/ca", trustDomain: testDomain)
        authority = try RunningAuthority(.directory(directory.path), trustDomain: testDomain, now: testNow)
    }

    private func request(_ key: PrivateKey) throws -> String {
        try PEM.encode(label: "CERTIFICATE REQUEST", der: try makeCSR(key: key, uriSAN: "spiffe://elsewhere/x"))
    }

    @Test func `notices every step of a change of root`() throws {
        #expect(authority.refresh(now: testNow) == .unchanged)
        try directory.beginRotation(now: testNow)
        #expect(authority.refresh(now: testNow) == .changed && authority.refresh(now: testNow) == .unchanged)
        #expect(authority.trustBundlePEM.components(separatedBy: "BEGIN CERTIFICATE").count == 3)
        let issuer = authority.status.issuer
        try directory.activateRotation(now: testNow + 10)
        #expect(authority.refresh(now: testNow + 10) == .changed && authority.status.issuer != issuer)
        try directory.finishRotation(isForced: true, now: testNow + 10)
        #expect(authority.refresh(now: testNow + 10) == .changed && authority.status.roots.count == 1)
    }

    @Test func `notices what is taken back, until it would have expired`() throws {
        try authority.revocations.revoke(serial: "00:AB:CD", now: testNow)
        #expect(authority.refresh(now: testNow) == .changed && authority.revokedSerials == ["abcd"])
        try authority.revocations.revoke(serial: "abcd", now: testNow + 5)
        #expect(try authority.revocations.entries(now: testNow).map(\.revokedAt) == [testNow])
        #expect(try workshop.mode("ca/revoked") == 0o700)
        let end = testNow + CertificateIssuer.longestLifetimeInSeconds
        #expect(authority.refresh(now: end) == .unchanged && authority.revokedSerials == ["abcd"])
        #expect(authority.refresh(now: end + 3600) == .changed && authority.revokedSerials.isEmpty)
    }

    @Test(arguments: ["", "0", "xyz", "../../a", "12 34", String(repeating: "f", count: 41)])
    func `takes back nothing that is no serial number`(text: String) throws {
        let error = refusal { try authority.revocations.revoke(serial: text, now: testNow) }
        #expect(error?.code == .invalidRequest)
    }

    @Test func `goes on with what it has while files are half-way exchanged, and says so once`() throws {
        let other = AuthorityDirectory(path: workshop.path + "/other", trustDomain: testDomain)
        _ = try other.open(now: testNow)
        try workshop.makeDirectory("own")
        func bring(_ name: String, from source: String) throws {
            try workshop.write(try workshop.read("\(source)/authority-1/\(name)"), "own/\(name)")
        }
        for name in ["root-cert.pem", "ca-cert.pem", "ca-key.pem"] { try bring(name, from: "ca") }
        let own = try RunningAuthority(.directory(workshop.path + "/own"), trustDomain: testDomain, now: testNow)
        let before = own.status
        try bring("ca-cert.pem", from: "other")
        guard case .failed(let error) = own.refresh(now: testNow) else {
            Issue.record("no failure")
            return
        }
        #expect(error.code == .invalidAuthority && own.lastError == error && own.status == before)
        #expect(own.refresh(now: testNow + 1) == .unchanged)
        try bring("ca-key.pem", from: "other")
        try bring("root-cert.pem", from: "other")
        #expect(own.refresh(now: testNow + 2) == .changed)
        #expect(own.lastError == nil && own.status.issuer != before.issuer)
    }

    @Test func `of files anywhere notices their change, and keeps its state where it is told`() throws {
        let made = workshop.path + "/ca/authority-1"
        let paths = AuthorityPaths(
            certificate: workshop.path + "/link/ca-cert.pem", key: workshop.path + "/link/ca-key.pem",
            roots: workshop.path + "/link/root-cert.pem")
        try FileManager.default.createSymbolicLink(atPath: workshop.path + "/link", withDestinationPath: made)
        let own = try RunningAuthority(
            .files(paths, state: workshop.path + "/state"), trustDomain: testDomain, now: testNow)
        #expect(own.refresh(now: testNow) == .unchanged && own.revokedSerials.isEmpty)
        let other = AuthorityDirectory(path: workshop.path + "/other", trustDomain: testDomain)
        _ = try other.open(now: testNow)
        // As a mounted volume changes: the link leads elsewhere.
        try FileManager.default.removeItem(atPath: workshop.path + "/link")
        try FileManager.default.createSymbolicLink(
            atPath: workshop.path + "/link", withDestinationPath: workshop.path + "/other/authority-1")
        #expect(own.refresh(now: testNow) == .changed)
        try own.revocations.revoke(serial: "12", now: testNow)
        #expect(own.refresh(now: testNow) == .changed && own.revokedSerials == ["12"])
    }

    @Test func `signs nodes for the client's end only, under a name that is no workload's`() throws {
        let key = try PrivateKey.generate()
        let issued = try authority.signNode(requestPEM: try request(key), node: "node-1.example", now: testNow)
        let leaf = try TLS.Certificate(der: issued.chain[0])
        #expect(leaf.uriSANs == ["spiffe://mesh.test/node/node-1.example"])
        #expect(leaf.extendedKeyUsage == .clientAuth && !leaf.isCA && key.matches(leaf))
        #expect(issued.notAfter == testNow + 7 * 86400 && issued.notBefore == testNow - 300)
        #expect(NodeIdentity(uri: leaf.uriSANs[0])?.name == "node-1.example")
        #expect(SPIFFEID(uri: leaf.uriSANs[0]) == nil)
        let roots = try TLS.Certificate.parsePEM(Array(authority.trustBundlePEM.utf8))
        let verdict = try TrustStore(roots: roots).verifies(
            chain: try issued.chain.map { try TLS.Certificate(der: $0) }, at: testNow)
        guard case .trusted = verdict else {
            Issue.record("\(verdict)")
            return
        }
        // And no peer takes a node for a workload.
        let verification = PeerVerification(
            expecting: .anyInTrustedDomains, bundles: try TrustBundles(own: testDomain, roots: roots), at: testNow)
        _ = verification.verify(chain: try issued.chain.map { try TLS.Certificate(der: $0) })
        #expect(verification.refusal?.reason == .peerNotMTLS)
    }

    @Test func `gives a node's certificate the lifetime that is asked for, up to thirty days`() throws {
        let pem = try request(try PrivateKey.generate())
        let asked: [Int64] = [6, 3600, .max, 0, -1]
        let given: [Int64] = [6, 3600, 2_592_000, 604_800, 604_800]
        for (asked, given) in zip(asked, given) {
            let issued = try authority.signNode(requestPEM: pem, node: "n", lifetimeInSeconds: asked, now: testNow)
            #expect(issued.notAfter == testNow + given)
        }
    }

    @Test(arguments: ["", "Node", "a/b", "a..b", "ns/x/sa/y", String(repeating: "a.", count: 127) + "a"])
    func `signs for no node of an impossible name`(name: String) throws {
        let pem = try request(try PrivateKey.generate())
        #expect(refusal { try authority.signNode(requestPEM: pem, node: name, now: testNow) }?.code == .identityRefused)
    }

    @Test func `makes a certificate for the controller that peers accept`() throws {
        let made = try authority.issuer.makeControllerCertificate(now: testNow)
        let chain = try made.chainPEM.flatMap { try TLS.Certificate.parsePEM(Array($0.utf8)) }
        let identity = CertificateIssuer.controllerIdentity(in: testDomain)
        #expect(identity.description == "spiffe://mesh.test/ns/meshnode-system/sa/meshnode-controller")
        _ = try SVID(identity: identity, chain: chain, key: try PrivateKey(pem: Array(made.keyPEM.utf8)), version: 1)
        #expect(made.notAfter == testNow + 86400)
    }

    @Test func `tells two keys apart by their hash`() throws {
        let (a, b) = (try PrivateKey.generate(), try PrivateKey.generate())
        let hash = try CertificateIssuer.publicKeyHash(requestPEM: try request(a))
        #expect(try hash.count == 32 && hash == CertificateIssuer.publicKeyHash(requestPEM: try request(a)))
        #expect(try hash != CertificateIssuer.publicKeyHash(requestPEM: try request(b)))
        #expect(refusal { try CertificateIssuer.publicKeyHash(requestPEM: "x") }?.code == .invalidRequest)
    }
}
