import Foundation

/// A certificate authority for tests, made with the `openssl` command in a directory of its own.
///
/// Keys are fresh in every run: none is committed.
package final class FixtureAuthority: Sendable {
    /// A chain, leaf first, with its key; both PEM.
    package struct Issued: Sendable {
        package let chainPEM: [UInt8]
        package let keyPEM: [UInt8]
        /// Where both are, for commands that read files.
        package let chainPath: String
        package let keyPath: String
    }

    package let rootPEM: [UInt8]
    package let rootPath: String
    private let directory: URL
    private let issuerChain: [UInt8]

    /// A self-signed root, valid for ten years from now.
    package convenience init() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "meshnode-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(Self.configuration.utf8).write(to: directory.appendingPathComponent("openssl.cnf"))
        try Self.openssl(
            directory, "req", "-x509", "-config", "openssl.cnf", "-extensions", "root", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj",
            "/O=fixture \(UUID().uuidString)")
        try self.init(directory: directory, rootPath: directory.appendingPathComponent("ca.pem").path, issuerChain: [])
    }

    private init(directory: URL, rootPath: String, issuerChain: [UInt8]) throws {
        self.directory = directory
        self.rootPath = rootPath
        self.issuerChain = issuerChain
        rootPEM = [UInt8](try Data(contentsOf: URL(fileURLWithPath: rootPath)))
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// An authority below this one; what it issues has both certificates in the chain. `rootPEM` stays the root's.
    package func makeIntermediate() throws -> FixtureAuthority {
        let issued = try issue(
            sans: [], isCA: true, keyUsage: "critical,keyCertSign,cRLSign", extendedKeyUsage: nil, subject: "/O=sub")
        let below = directory.deletingLastPathComponent().appendingPathComponent("meshnode-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: below, withIntermediateDirectories: true)
        for (from, to) in [("openssl.cnf", "openssl.cnf"), ("ca.pem", "root.pem")] {
            try FileManager.default.copyItem(
                at: directory.appendingPathComponent(from), to: below.appendingPathComponent(to))
        }
        try Data(issued.chainPEM).write(to: below.appendingPathComponent("ca.pem"))
        try Data(issued.keyPEM).write(to: below.appendingPathComponent("ca.key"))
        return try FixtureAuthority(
            directory: below, rootPath: below.appendingPathComponent("root.pem").path, issuerChain: issued.chainPEM)
    }

    /// A certificate valid from now for `days`, with a fresh P-256 key.
    ///
    /// - Parameters:
    ///   - sans: as openssl spells them, such as `URI:spiffe://mesh/ns/a/sa/b`.
    ///   - keyUsage, extendedKeyUsage: as openssl spells them; nil leaves the extension out.
    ///   - requestDER: a PKCS #10 request to sign instead of one with a fresh key; then `keyPEM` is empty.
    package func issue(
        sans: [String], isCA: Bool = false, keyUsage: String? = "critical,digitalSignature",
        extendedKeyUsage: String? = "serverAuth,clientAuth", subject: String = "/", days: Int = 1,
        requestDER: [UInt8]? = nil
    ) throws -> Issued {
        let name = UUID().uuidString
        let file = { (suffix: String) in self.directory.appendingPathComponent(name + suffix) }
        var extensions = "basicConstraints=critical,CA:\(isCA)\n"
        if let keyUsage { extensions += "keyUsage=\(keyUsage)\n" }
        if let extendedKeyUsage { extensions += "extendedKeyUsage=\(extendedKeyUsage)\n" }
        if !sans.isEmpty { extensions += "subjectAltName=critical,\(sans.joined(separator: ","))\n" }
        try Data(extensions.utf8).write(to: file(".ext"))
        if let requestDER {
            try Data(requestDER).write(to: file(".der"))
            try Self.openssl(
                directory, "req", "-config", "openssl.cnf", "-inform", "DER", "-in", "\(name).der", "-out",
                "\(name).csr")
            try Data().write(to: file(".key"))
        } else {
            try Self.openssl(
                directory, "req", "-new", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes", "-keyout", "\(name).key", "-out", "\(name).csr", "-subj", subject)
        }
        try Self.openssl(
            directory, "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile",
            "\(name).ext",
            "-days", "\(days)", "-set_serial", "0x1\(name.replacingOccurrences(of: "-", with: "").prefix(15))", "-out",
            "\(name).leaf")
        let chain = [UInt8](try Data(contentsOf: file(".leaf"))) + issuerChain
        try Data(chain).write(to: file(".pem"))
        return Issued(
            chainPEM: chain, keyPEM: [UInt8](try Data(contentsOf: file(".key"))), chainPath: file(".pem").path,
            keyPath: file(".key").path)
    }

    private static let configuration = """
        [req]
        distinguished_name = name
        [name]
        [root]
        basicConstraints = critical,CA:true
        keyUsage = critical,keyCertSign,cRLSign
        subjectKeyIdentifier = hash
        """

    private struct CommandFailed: Error {
        let output: String
    }

    private static func openssl(_ directory: URL, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = directory
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CommandFailed(
                output: arguments.joined(separator: " ") + ": " + String(decoding: output, as: UTF8.self))
        }
    }
}
