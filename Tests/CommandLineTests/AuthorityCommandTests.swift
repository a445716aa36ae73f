import ArgumentParser
import CertificateAuthority
import Foundation
import Mesh
import Testing

@testable import CommandLine

@Suite struct `The authority's command` {
    /// A directory with an own authority of today; removed in the end.
    private final class Place {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("meshnode-\(UUID().uuidString)").path

        init() throws {
            let domain = try #require(TrustDomain("mesh.test"))
            _ = try AuthorityDirectory(path: path, trustDomain: domain).open(now: Int64(Date().timeIntervalSince1970))
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private let place: Place

    init() throws { place = try Place() }

    /// Runs it and returns what it wrote; a `CommandError` is thrown on.
    private func run(_ arguments: String...) throws -> String {
        var output = ""
        let console = Console(
            write: { output += $0 }, writeError: { _ in }, isTerminal: false, environment: [:], hostName: { "" },
            makeClient: { _ in ScriptedAgent(transcript: Transcript()) { _ in [] } }, pause: { _ in false },
            processes: Console.Processes(
                agent: { _ in 0 }, worker: { _ in 0 }, embeddedController: { _ in 0 }, subscriber: { _ in 0 },
                controller: { _ in 0 }))
        let command = try AuthorityCommand.parseAsRoot(arguments + ["--ca-directory", place.path])
        let status = try #require(command as? any ConsoleCommand).run(on: console)
        #expect(status == ExitStatus.ok.rawValue)
        return output
    }

    private func refusal(_ body: () throws -> some Any) -> CommandError? {
        do {
            _ = try body()
            return nil
        } catch {
            return error as? CommandError
        }
    }

    @Test func `shows roots, issuer and that nothing is under way`() throws {
        let text = try run("status")
        #expect(text.contains("meshnode root") && text.contains("meshnode issuer") && text.contains("SHA-256"))
        #expect(text.contains("no change of root is under way"))
    }

    @Test func `leads through a change of root, each step naming the next`() throws {
        let begun = try run("rotate", "begin")
        #expect(begun.contains("next: meshnode authority rotate activate") && begun.contains("other root"))
        let early = refusal { try run("rotate", "activate") }
        #expect(early?.status == .no && early?.message.contains("--force") == true)
        let activated = try run("rotate", "activate", "--force")
        #expect(
            activated.contains("next: meshnode authority rotate finish") && activated.contains("may be in use until"))
        #expect(refusal { try run("rotate", "finish") }?.status == .no)
        #expect(try run("rotate", "finish", "--force").contains("no change of root is under way"))
        #expect(refusal { try run("rotate", "abort") }?.status == .no)
        // The new root is named after the same trust domain.
        #expect(try AuthorityDirectory(existing: place.path).trustDomain.name == "mesh.test")
    }

    @Test func `takes certificates back`() throws {
        #expect(try run("revoke", "0A:BC").contains("taken back: abc"))
        #expect(refusal { try run("revoke", "no number") }?.status == .badInput)
    }

    @Test func `speaks JSON`() throws {
        let json = try run("status", "-o", "json")
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect(object?["kind"] as? String == "Authority" && object?["apiVersion"] as? String == "cli.meshnode.dev/v1")
        #expect((object?["roots"] as? [Any])?.count == 1)
        #expect(throws: (any Error).self) { try run("status", "-o", "yaml") }
    }

    @Test func `makes no authority where there is none`() throws {
        let error = refusal {
            try AuthorityPlace.parse(["--ca-directory", "/nonexistent/ca"]).work { _, _ in .ok }
        }
        #expect(error?.message.contains("--ca-directory") == true)
        #expect(!FileManager.default.fileExists(atPath: "/nonexistent"))
    }
}
