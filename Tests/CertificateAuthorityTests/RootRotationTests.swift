import Foundation
import Identity
import Mesh
import Synchronization
import TLS
import Testing

@testable import CertificateAuthority

@Suite struct `A change of root` {
    let workshop: Workshop
    let directory: AuthorityDirectory
    let day: Int64 = 86400

    init() throws {
        workshop = try Workshop()
        directory = AuthorityDirectory(path: workshop.path + "/ca", trustDomain: testDomain)
        _ = try directory.open(now: testNow)
    }

    /// A leaf for a fresh key as the authority signs it now.
    private func leaf(_ now: Int64) throws -> [TLS.Certificate] {
        let key = try PrivateKey.generate()
        let request = try makeCSR(key: key, uriSAN: testIdentity.description)
        let issued = try directory.open(now: now).sign(requestDER: request, identity: testIdentity, now: now)
        return try issued.chain.map { try TLS.Certificate(der: $0) }
    }

    /// What every agent trusts now.
    private func bundles(_ now: Int64) throws -> TrustBundles {
        let roots = try TLS.Certificate.parsePEM(Array(directory.open(now: now).rootsPEM().utf8))
        return try TrustBundles(own: testDomain, roots: roots)
    }

    private func refused(_ chain: [TLS.Certificate], _ bundles: TrustBundles, at now: Int64) -> Reason? {
        let verification = PeerVerification(expecting: .anyInTrustedDomains, bundles: bundles, at: now)
        _ = verification.verify(chain: chain)
        return verification.refusal?.reason
    }

    @Test func `lets old and new certificates verify at every step, and old ones no more in the end`() throws {
        let old = try leaf(testNow)
        let onlyA = try bundles(testNow)
        #expect(refused(old, onlyA, at: testNow) == nil)

        try directory.beginRotation(now: testNow)
        let both = try bundles(testNow)
        let underA = try leaf(testNow)
        #expect(both.roots(of: testDomain).count == 2)
        #expect(refused(old, both, at: testNow) == nil && refused(underA, onlyA, at: testNow) == nil)

        try directory.activateRotation(now: testNow + 10)
        let underB = try leaf(testNow + 10)
        #expect(refused(underA, try bundles(testNow + 10), at: testNow + 10) == nil)
        #expect(refused(underB, both, at: testNow + 10) == nil)
        #expect(refused(underB, onlyA, at: testNow + 10) == .trustDomainMismatch)

        try directory.finishRotation(now: testNow + 10 + day + 6)
        let onlyB = try bundles(testNow + 2 * day)
        let fresh = try leaf(testNow + 2 * day)
        #expect(onlyB.roots(of: testDomain).count == 1)
        #expect(refused(underA, onlyB, at: testNow + 20) == .trustDomainMismatch)
        #expect(refused(underB, onlyB, at: testNow + 20) == nil && refused(fresh, onlyB, at: testNow + 2 * day) == nil)
    }

    @Test func `says at each step where it is`() throws {
        #expect(try directory.open(now: testNow).status.rotation == nil)
        let a = try directory.open(now: testNow).status.roots
        #expect(try directory.beginRotation(now: testNow).state == .begun)
        let begun = try directory.open(now: testNow).status
        #expect(begun.rotation == RootRotation(state: .begun, since: testNow, otherRootNeededUntil: nil))
        #expect(begun.roots.count == 2 && begun.roots[0] == a[0])
        #expect(try directory.open(now: testNow).rootFingerprint() == a[0].fingerprint)
        try directory.activateRotation(now: testNow + 9)
        let activated = try directory.open(now: testNow + 9).status
        #expect(activated.roots == begun.roots.reversed() && activated.issuer != begun.issuer)
        #expect(
            activated.rotation
                == RootRotation(state: .activated, since: testNow + 9, otherRootNeededUntil: testNow + 9 + day + 5))
        #expect(try directory.open(now: testNow + 9).rootFingerprint() == begun.roots[1].fingerprint)
        try directory.finishRotation(isForced: true, now: testNow + 9)
        let done = try directory.open(now: testNow + 9).status
        #expect(done.rotation == nil && done.roots == [begun.roots[1]] && done.issuer == activated.issuer)
    }

    @Test func `refuses steps out of order, and says which is next`() throws {
        func text(_ body: () throws -> some Any) -> String {
            let error = refusal(body)
            return error?.code == .rotationRefused ? error?.message ?? "" : "not refused"
        }
        #expect(text { try directory.activateRotation(now: testNow) }.contains("rotate begin"))
        #expect(text { try directory.finishRotation(now: testNow) }.contains("rotate begin"))
        #expect(text { try directory.abortRotation(now: testNow) }.contains("no change of root"))
        try directory.beginRotation(now: testNow)
        #expect(text { try directory.beginRotation(now: testNow) }.contains("rotate activate"))
        #expect(text { try directory.finishRotation(isForced: true, now: testNow) }.contains("rotate activate"))
        #expect(text { try directory.activateRotation(now: testNow + 2) }.contains("3 s more"))
        try directory.activateRotation(isForced: true, now: testNow + 2)
        #expect(text { try directory.activateRotation(now: testNow + 9) }.contains("rotate finish"))
        #expect(text { try directory.beginRotation(now: testNow + 9) }.contains("rotate finish"))
    }

    @Test func `is not finished while certificates of the old root may be in use`() throws {
        let authority = try RunningAuthority(.directory(directory.path), trustDomain: testDomain, now: testNow)
        let key = try PrivateKey.generate()
        let request = try PEM.encode(
            label: "CERTIFICATE REQUEST", der: try makeCSR(key: key, uriSAN: testIdentity.description))
        _ = try authority.sign(requestPEM: request, identity: testIdentity, lifetimeInSeconds: 60, now: testNow)
        try directory.beginRotation(now: testNow)
        try directory.activateRotation(now: testNow + 10)
        #expect(try directory.open(now: testNow + 10).status.rotation?.otherRootNeededUntil == testNow + 75)
        let error = refusal { try directory.finishRotation(now: testNow + 75) }
        #expect(error?.code == .rotationRefused && error?.message.contains("2026-01-01T00:01:15Z") == true)
        #expect(error?.message.contains("--force") == true)
        try directory.finishRotation(now: testNow + 76)
    }

    @Test func `waits for a node's certificate as long as that lives`() throws {
        let authority = try RunningAuthority(.directory(directory.path), trustDomain: testDomain, now: testNow)
        let request = try PEM.encode(
            label: "CERTIFICATE REQUEST", der: try makeCSR(key: try PrivateKey.generate(), uriSAN: "spiffe://x/y"))
        _ = try authority.signNode(requestPEM: request, node: "node-1", now: testNow)
        try directory.beginRotation(now: testNow)
        try directory.activateRotation(now: testNow + 10)
        #expect(
            try directory.open(now: testNow + 10).status.rotation?.otherRootNeededUntil == testNow + 15 + 7 * day)
    }

    @Test func `goes back the way it came`() throws {
        let a = try directory.open(now: testNow).status
        try directory.beginRotation(now: testNow)
        #expect(try directory.abortRotation(now: testNow) == nil)
        #expect(try directory.open(now: testNow).status == a)

        try directory.beginRotation(now: testNow)
        try directory.activateRotation(now: testNow + 10)
        let underB = try leaf(testNow + 10)
        let back = try directory.abortRotation(now: testNow + 20)
        #expect(back?.state == .begun && back?.otherRootNeededUntil == testNow + 25 + day)
        #expect(try directory.open(now: testNow + 20).rootFingerprint() == a.roots[0].fingerprint)
        #expect(refused(underB, try bundles(testNow + 20), at: testNow + 20) == nil)
        #expect(refusal { try directory.abortRotation(now: testNow + 30) }?.message.contains("new root") == true)
        #expect(try directory.abortRotation(now: testNow + 26 + day) == nil)
        #expect(try directory.open(now: testNow + 26 + day).status.roots == a.roots)
    }

    @Test func `leaves no key of a root that is trusted no more`() throws {
        try directory.beginRotation(now: testNow)
        try directory.activateRotation(now: testNow + 10)
        try directory.finishRotation(isForced: true, now: testNow + 11)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names.filter { $0.hasPrefix("authority-") } == ["authority-4"])
        #expect(!names.contains { $0.hasPrefix(".new-") })
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path + "/authority-4").sorted() == [
                "ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem", "root-key.pem",
            ])
        #expect(try workshop.text("ca/root-cert.pem") == workshop.text("ca/authority-4/root-cert.pem"))
    }

    @Test func `keeps its state when an issuer becomes due in the middle`() throws {
        try directory.beginRotation(now: testNow)
        let before = try directory.open(now: testNow).status
        let after = try directory.open(now: testNow + 250 * day).status
        #expect(after.rotation == before.rotation && after.roots == before.roots && after.issuer != before.issuer)
        try directory.activateRotation(now: testNow + 251 * day)
        #expect(
            refused(try leaf(testNow + 251 * day), try bundles(testNow + 251 * day), at: testNow + 251 * day) == nil)
    }

    @Test func `is safe against a crash at any file that it writes`() throws {
        try directory.beginRotation(now: testNow)
        let status = try directory.open(now: testNow).status
        // What is left when the process ends before the rename: a hidden directory, of whatever completeness.
        let complete = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/authority-2")
        for count in 0...complete.count {
            let hidden = directory.path + "/.new-crash\(count)"
            try FileManager.default.createDirectory(atPath: hidden, withIntermediateDirectories: false)
            for name in complete.prefix(count) {
                try FileManager.default.copyItem(
                    atPath: directory.path + "/authority-2/" + name, toPath: hidden + "/" + name)
            }
            #expect(try directory.open(now: testNow).status == status)
        }
        try directory.activateRotation(now: testNow + 10)
        #expect(try directory.open(now: testNow + 10).status.rotation?.state == .activated)
    }

    @Test func `is begun once when many begin it`() throws {
        let begun = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            if refusal({ try directory.beginRotation(now: testNow) }) == nil { begun.withLock { $0 += 1 } }
        }
        #expect(begun.withLock { $0 } == 1)
        #expect(try directory.open(now: testNow).status.roots.count == 2)
    }

    @Test func `of the operator's files is the operator's`() throws {
        let own = AuthorityDirectory(path: workshop.path + "/own", trustDomain: testDomain)
        try workshop.makeDirectory("own")
        for name in ["root-cert.pem", "ca-cert.pem", "ca-key.pem"] {
            try workshop.write(try workshop.read("ca/authority-1/\(name)"), "own/\(name)")
        }
        let error = refusal { try own.beginRotation(now: testNow) }
        #expect(error?.code == .rotationRefused && error?.message.contains("root-cert.pem") == true)
    }
}
