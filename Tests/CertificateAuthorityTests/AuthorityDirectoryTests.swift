import Foundation
import Mesh
import Synchronization
import Testing

@testable import CertificateAuthority

@Suite struct `The directory of an authority` {
    let workshop: Workshop
    let directory: AuthorityDirectory

    init() throws {
        workshop = try Workshop()
        directory = AuthorityDirectory(path: workshop.path + "/ca", trustDomain: testDomain)
    }

    @Test func `is made on first start, closed to others, and read after that`() throws {
        let first = try directory.open(now: testNow)
        let again = try directory.open(now: testNow + 1)
        #expect(first.status == again.status)
        #expect(try workshop.mode("ca") == 0o700)
        #expect(try workshop.mode("ca/authority-1") == 0o700)
        for name in ["root-cert.pem", "root-key.pem", "ca-cert.pem", "ca-key.pem", "cert-chain.pem"] {
            #expect(try workshop.mode("ca/authority-1/\(name)") == 0o600)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [
                "authority-1", "root-cert.pem",
            ])
        let issuer = try workshop.openssl("x509", "-in", "ca/authority-1/ca-cert.pem", "-noout", "-text")
        #expect(issuer.contains("CA:TRUE, pathlen:0"))
        let root = try workshop.openssl("x509", "-in", "ca/root-cert.pem", "-noout", "-text")
        #expect(root.contains("CA:TRUE\n"))
    }

    @Test func `may have been made empty before`() throws {
        try FileManager.default.createDirectory(
            atPath: directory.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        _ = try directory.open(now: testNow)
        #expect(FileManager.default.fileExists(atPath: directory.path + "/authority-1/ca-key.pem"))
    }

    @Test func `is made by exactly one of many that start at once`() throws {
        for round in 0..<10 {
            let directory = AuthorityDirectory(path: workshop.path + "/race\(round)", trustDomain: testDomain)
            let serials = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 16) { _ in
                let status = try? directory.open(now: testNow).status
                serials.withLock { $0.append(status.map { $0.roots[0].serial + $0.issuer.serial } ?? "failed") }
            }
            let seen = serials.withLock { $0 }
            #expect(seen.count == 16 && Set(seen).count == 1 && !seen.contains("failed"))
            // Nothing half-made stays.
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 2)
        }
    }

    @Test func `ignores what an agent that was killed half-way left`() throws {
        try FileManager.default.createDirectory(
            atPath: directory.path + "/.new-dead", withIntermediateDirectories: true)
        try workshop.setMode(0o700, "ca")
        try workshop.write("half a k", "ca/.new-dead/root-key.pem")
        _ = try directory.open(now: testNow)
    }

    @Test func `gets a new issuer under the same root in the last third of the issuer's life`() throws {
        let first = try directory.open(now: testNow).status
        let later = testNow + 200 * 86400
        #expect(try directory.open(now: later).status == first)
        let due = testNow + 250 * 86400
        let second = try directory.open(now: due).status
        #expect(second.roots == first.roots && second.issuer != first.issuer)
        #expect(second.issuer.notAfter == due + 365 * 86400)
        #expect(try directory.open(now: due + 1).status == second)
        try workshop.openssl(
            "verify", "-attime", "\(due)", "-CAfile", "ca/root-cert.pem", "ca/authority-2/ca-cert.pem")
    }

    @Test func `gets one new issuer when many find it due at once`() throws {
        _ = try directory.open(now: testNow)
        let serials = Mutex<Set<String>>([])
        DispatchQueue.concurrentPerform(iterations: 16) { _ in
            let serial = try? directory.open(now: testNow + 300 * 86400).status.issuer.serial
            serials.withLock { _ = $0.insert(serial ?? "failed") }
        }
        #expect(serials.withLock { $0.count == 1 && !$0.contains("failed") })
    }

    @Test func `recovers after a year without any start, and says so when the root has ended`() throws {
        let first = try directory.open(now: testNow).status
        let second = try directory.open(now: testNow + 2 * 365 * 86400).status
        #expect(second.roots == first.roots)
        let error = refusal { try directory.open(now: testNow + 11 * 365 * 86400) }
        #expect(error?.code == .authorityExpired)
    }

    @Test(arguments: [0o770, 0o707, 0o722])
    func `is refused when others may change it`(mode: Int) throws {
        _ = try directory.open(now: testNow)
        try workshop.setMode(mode, "ca")
        let error = refusal { try directory.open(now: testNow) }
        #expect(error?.code == .permissionsTooOpen && error?.message.contains("chmod 700") == true)
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o644])
    func `is refused when others may use its key`(mode: Int) throws {
        _ = try directory.open(now: testNow)
        try workshop.setMode(mode, "ca/authority-1/ca-key.pem")
        let error = refusal { try directory.open(now: testNow) }
        #expect(error?.code == .permissionsTooOpen)
        #expect(
            error?.message.contains("authority-1/ca-key.pem") == true && error?.message.contains("chmod 600") == true)
    }

    @Test(arguments: ["root-cert.pem", "ca-cert.pem", "ca-key.pem"])
    func `that is broken is refused with the file's name, and never made anew`(name: String) throws {
        _ = try directory.open(now: testNow)
        let path = "ca/authority-1/\(name)"
        for content in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            try workshop.write(content, path)
            let error = refusal { try directory.open(now: testNow) }
            #expect(error?.code == .invalidAuthority && error?.message.contains(name) == true, "\(content)")
        }
        try workshop.write([0xff, 0xfe], path)
        #expect(refusal { try directory.open(now: testNow) }?.code == .invalidAuthority)
        try FileManager.default.removeItem(atPath: workshop.path + "/" + path)
        let error = refusal { try directory.open(now: testNow) }
        #expect(error?.code == .fileUnusable && error?.message.contains("does not exist") == true)
        #expect(error?.message.contains(name) == true)
    }

    @Test func `that cannot be made says where`() throws {
        try workshop.write("a file", "ca")
        let error = refusal { try directory.open(now: testNow) }
        #expect(error?.code == .fileUnusable && error?.message.contains(directory.path) == true)
    }

    @Test func `that holds the operator's files is used as it is`() throws {
        _ = try directory.open(now: testNow)
        let own = AuthorityDirectory(path: workshop.path + "/own", trustDomain: testDomain)
        try FileManager.default.createDirectory(
            atPath: own.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        for name in ["root-cert.pem", "ca-cert.pem", "ca-key.pem"] {
            try workshop.write(
                try workshop.read("ca/authority-1/\(name)"), "own/\(name)", mode: name == "ca-key.pem" ? 0o400 : 0o644)
        }
        #expect(try own.open(now: testNow).status == directory.open(now: testNow).status)
        #expect(try FileManager.default.contentsOfDirectory(atPath: own.path).count == 3)
        try FileManager.default.removeItem(atPath: own.path + "/root-cert.pem")
        #expect(refusal { try own.open(now: testNow) }?.message.contains("own/root-cert.pem") == true)
    }

    @Test(arguments: ["root-cert.pem", "ca-cert.pem", "ca-key.pem", "cert-chain.pem"])
    func `that holds only some of the operator's files is refused, not completed with files of our own`(name: String)
        throws
    {
        try workshop.makeDirectory("ca")
        try workshop.write("x", "ca/\(name)")
        #expect(refusal { try directory.open(now: testNow) } != nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [name])
    }
}
