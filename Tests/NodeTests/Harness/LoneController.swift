import Foundation

/// `meshnode controller`.
final class LoneController {
    private let process = Process()
    private let errors: URL

    init(_ machine: Machine, in namespace: String, directory: String, arguments: [String]) throws {
        errors = URL(fileURLWithPath: directory + "/controller.log")
        if !FileManager.default.fileExists(atPath: errors.path) { try Data().write(to: errors) }
        let command =
            machine.inside(namespace, [try AgentBinary.path, "controller"]) + arguments
            + ["--run-directory", directory + "/run-controller"]
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let log = try FileHandle(forWritingTo: errors)
        try log.seekToEnd()
        process.standardError = log
        try process.run()
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// It is there and does not answer any more.
    func freeze() { kill(process.processIdentifier, SIGSTOP) }
    func thaw() { kill(process.processIdentifier, SIGCONT) }

    var log: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }
}
