import Foundation

/// What a command did.
struct CommandResult {
    /// Exit status; 124 where it took too long.
    let status: Int32
    /// Standard output, without the last line end.
    let output: String
    /// Standard error, without the last line end.
    let errors: String
}

/// A command that did what no test wants.
struct CommandFailed: Error, CustomStringConvertible {
    let description: String
}

/// Runs programs, each with a limit of time.
enum Command {
    /// The interpreter of Debian: others may start through slow wrappers.
    static let python = "/usr/bin/python3"

    /// Runs `arguments` to its end.
    /// - Parameter seconds: after these it is ended, and its status is 124.
    static func run(_ arguments: [String], input: String = "", seconds: Int = 30) throws -> CommandResult {
        let process = Process()
        let output = try TemporaryFile()
        let errors = try TemporaryFile()
        let given = try TemporaryFile(input)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["-k", "1", "\(seconds)"] + arguments
        let handles = [
            try FileHandle(forReadingFrom: given.url), try FileHandle(forWritingTo: output.url),
            try FileHandle(forWritingTo: errors.url),
        ]
        // The process keeps its handles open for long: many runs would come to more descriptors than Foundation can have.
        defer { for handle in handles { try? handle.close() } }
        process.standardInput = handles[0]
        process.standardOutput = handles[1]
        process.standardError = handles[2]
        // `waitUntilExit` runs a run loop, which notices the end up to half a second late.
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        ended.wait()
        return CommandResult(
            status: process.terminationStatus, output: try output.text.trimmed, errors: try errors.text.trimmed)
    }

    /// Runs a shell script that must succeed; its standard output.
    @discardableResult
    static func shell(_ script: String) throws -> String {
        let result = try run(["/bin/sh", "-e", "-c", script])
        guard result.status == 0 else {
            throw CommandFailed(description: "\(script)\nended with \(result.status): \(result.errors)")
        }
        return result.output
    }
}

extension String {
    /// Without blanks and line ends around it.
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// A file that lives as long as the object.
final class TemporaryFile {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("mnt-node-\(UUID().uuidString)")

    init(_ text: String = "") throws {
        try Data(text.utf8).write(to: url)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    var text: String {
        get throws { String(decoding: try Data(contentsOf: url), as: UTF8.self) }
    }
}

/// Looks every few milliseconds until `look` gives a value, and fails after `seconds`.
/// - Parameter what: what was waited for, for the message.
@discardableResult
func eventually<Value>(_ what: String, within seconds: Double = 10, _ look: () throws -> Value?) throws -> Value {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var problem = ""
    repeat {
        do {
            if let value = try look() { return value }
            problem = ""
        } catch {
            problem = ": \(error)"
        }
        usleep(15_000)
    } while ContinuousClock.now < deadline
    throw CommandFailed(description: "not within \(seconds) s: \(what)\(problem)")
}

/// As above, for a condition.
func eventually(_ what: String, within seconds: Double = 10, _ holds: () throws -> Bool) throws {
    try eventually(what, within: seconds) { try holds() ? true : nil }
}
