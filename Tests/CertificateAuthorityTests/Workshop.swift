// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import Foundation
import Mesh

@testable import CertificateAuthority

/// A directory of a test, with the `openssl` command at hand. It is removed in the end.
final class Workshop: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("meshnode-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    struct CommandFailed: Error {
        let output: String
    }

    /// Runs openssl in the directory.
    /// - Returns: what it printed.
    @discardableResult func openssl(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CommandFailed(output: text) }
        return text
    }

    func write(_ text: String, _ name: String, mode: Int = 0o600) throws {
        try write([UInt8](text.utf8), name, mode: mode)
    }

    func write(_ bytes: [UInt8], _ name: String, mode: Int = 0o600) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        try setMode(mode, name)
    }

    func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: "\(path)/\(name)", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    func setMode(_ mode: Int, _ name: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(path)/\(name)")
    }

    func mode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions] as? Int
    }

    func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }

    func text(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

    /// A request made by openssl, DER.
    func request(_ keyArguments: [String], subject: String = "/", extensions: String? = nil) throws -> [UInt8] {
        var configuration = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nO = x\n"
        if let extensions {
            configuration =
                configuration.replacingOccurrences(of: "[req]\n", with: "[req]\nreq_extensions = more\n")
                + "[more]\n\(extensions)\n"
        }
        try write(configuration, "req.cnf")
        try run(
            ["req", "-new", "-config", "req.cnf", "-nodes", "-keyout", "req.key", "-out", "req.der", "-outform", "DER"]
                + keyArguments)
        return try read("req.der")
    }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CommandFailed(output: arguments.joined(separator: " ")) }
    }

    static let p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
}

/// 2026-01-01.
let testNow: Int64 = 1_767_225_600
let testDomain = TrustDomain("mesh.test")!
let testIdentity = SPIFFEID(trustDomain: testDomain, namespace: "pay", serviceAccount: "api")

/// The code of the error that `body` throws; nil if it throws none.
func refusal(_ body: () throws -> some Any) -> AuthorityError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? AuthorityError
    }
}
