import Foundation

/// The program under test.
enum AgentBinary {
    /// MESHNODE_BINARY, or `meshnode` beside the test bundle.
    static var path: String {
        get throws {
            let environment = ProcessInfo.processInfo.environment["MESHNODE_BINARY"] ?? ""
            if !environment.isEmpty {
                guard FileManager.default.isExecutableFile(atPath: environment) else {
                    throw CommandFailed(description: "MESHNODE_BINARY names no program: \(environment)")
                }
                return environment
            }
            let beside = candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
            guard let beside else {
                throw CommandFailed(
                    description: "no meshnode to test: looked for \(candidates.joined(separator: ", ")); "
                        + "build it (swift build --product meshnode), or name one with MESHNODE_BINARY")
            }
            return beside
        }
    }

    /// The bundle is run by its own program, or by a runner that gets its path as an argument.
    private static var candidates: [String] {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let paths = [own] + CommandLine.arguments.filter { $0.contains(".xctest") }
        var seen: Set<String> = []
        return
            paths.map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("meshnode").path }
            .filter { seen.insert($0).inserted }
    }
}

/// One agent, in a namespace of the machine.
final class Agent {
    let binary: String
    let runDirectory: String
    private let process = Process()
    private let output: URL
    /// Where its access log goes if nobody is to read it.
    private let clogged: Pipe?
    private let errors: URL

    /// Starts `meshnode agent` in `namespace`.
    /// - Parameters:
    ///   - directory: where its logs and its run directory are made.
    ///   - wrapper: what it is started through, such as `setpriv ...`.
    ///   - isClogged: its access log goes into a pipe that nobody reads.
    init(
        _ machine: Machine, in namespace: String, directory: String, name: String, wrapper: [String] = [],
        isClogged: Bool = false, arguments: [String]
    ) throws {
        binary = try AgentBinary.path
        runDirectory = directory + "/run-" + name
        output = URL(fileURLWithPath: directory + "/" + name + ".access.log")
        errors = URL(fileURLWithPath: directory + "/" + name + ".log")
        for file in [output, errors] where !FileManager.default.fileExists(atPath: file.path) {
            try Data().write(to: file)
        }
        clogged = isClogged ? Pipe() : nil
        var logs: [FileHandle] = []
        // It has copies of its own, and this process keeps these open for long.
        defer { for log in logs { try? log.close() } }
        var command = machine.inside(namespace, wrapper + [binary, "agent"] + arguments)
        command += ["--run-directory", runDirectory]
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        if let clogged {
            process.standardOutput = clogged
        } else {
            logs.append(try Self.appending(output))
            process.standardOutput = logs[0]
        }
        logs.append(try Self.appending(errors))
        process.standardError = logs.last
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Two agents of a node write to the same files while one succeeds the other.
    private static func appending(_ url: URL) throws -> FileHandle {
        let descriptor = open(url.path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailed(description: "open of \(url.path) failed: \(errno)") }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var socket: String { runDirectory + "/agent.sock" }

    /// What it logged.
    var log: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    /// Lines of its access log.
    var accessLog: [String] {
        ((try? String(contentsOf: output, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    /// Waits for its end; its exit status.
    func waitForExit(within seconds: Double = 20) throws -> Int32 {
        try eventually("the agent's end", within: seconds) { !process.isRunning }
        return process.terminationStatus
    }

    /// SIGTERM, and waits.
    func stop() throws -> Int32 {
        kill(pid, SIGTERM)
        return try waitForExit()
    }

    /// Its children, `worker` or `controller`, by what the kernel says they were started as.
    func child(_ role: String) throws -> Int32 {
        let text = try Command.shell("cat /proc/\(pid)/task/*/children")
        for pid in text.split(separator: " ").compactMap({ Int32($0) }) {
            let line = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline"))) ?? Data()
            let arguments = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            if arguments.dropFirst().first == role { return pid }
        }
        throw CommandFailed(description: "the agent has no \(role): \(text)")
    }
}

/// What the commands print, as JSON.
extension Agent {
    /// A report of the command line interface.
    func report(_ command: String, _ options: String...) throws -> JSONValue {
        let result = try Command.run([binary, command, "-o", "json", "--socket", socket] + options, seconds: 5)
        guard result.status == 0 || result.status == 2 else {
            throw CommandFailed(description: "meshnode \(command) ended with \(result.status): \(result.errors)")
        }
        return try JSONValue(result.output)
    }

    /// Of its own node.
    var status: JSONValue { get throws { try report("status", "--local") } }

    /// Refused connections that are still remembered, the latest last.
    var refusals: [JSONValue] { get throws { try report("connections")["refused"].items } }

    var live: [JSONValue] { get throws { try report("connections")["live"].items } }

    /// Whether it serves, and all pods that it is to capture are.
    func isReady(captured: Int) throws -> Bool {
        let status = try status
        return status["agent"]["isReady"].bool && status["pods"]["captured"].number == captured
            && status["pods"]["enrolled"].number == captured
    }
}

/// A piece of JSON that is asked for what it should hold; what is not there is nothing, which no test expects.
struct JSONValue: CustomStringConvertible {
    private let value: Any?

    init(_ text: String) throws {
        value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    }

    private init(value: Any?) {
        self.value = value
    }

    subscript(key: String) -> JSONValue { JSONValue(value: (value as? [String: Any])?[key]) }
    var items: [JSONValue] { (value as? [Any] ?? []).map { JSONValue(value: $0) } }
    var text: String { value as? String ?? "" }
    var number: Int { (value as? NSNumber)?.intValue ?? -1 }
    var bool: Bool { (value as? NSNumber)?.boolValue ?? false }
    var description: String { value.map { "\($0)" } ?? "nothing" }
}
