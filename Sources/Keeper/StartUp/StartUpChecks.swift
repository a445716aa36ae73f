internal import Kernel

/// What must hold before the keeper touches anything.
enum StartUpChecks {
    /// Each with what fails without it.
    static let capabilities: [(Capability, String)] = [
        (.netAdmin, "programs nftables and routes"),
        (.sysAdmin, "enters network namespaces"),
        (.netRaw, "opens sockets that carry the client's address"),
        (.sysPtrace, "finds the namespaces of other users' processes"),
        (.setUID, "starts the worker as its own user"),
        (.setGID, "starts the worker as its own group"),
        (.setPCAP, "takes the worker's capabilities away"),
        (.kill, "ends the worker"),
    ]

    /// - Throws: `missingCapability`, naming each that is missing and what it is for.
    static func checkCapabilities() throws(KeeperError) {
        let missing: [Capability]
        do {
            missing = try CurrentProcess.missingCapabilities(capabilities.map(\.0))
        } catch {
            throw KeeperError(.resources, "\(error)")
        }
        guard !missing.isEmpty else { return }
        let list = capabilities.filter { missing.contains($0.0) }.map { "\($0.0) (\($0.1))" }.joined(separator: ", ")
        throw KeeperError(.missingCapability, "the agent lacks \(list); run it as root, or grant them to its container")
    }

    /// How an agent comes to its place.
    enum Beginning: ~Copyable {
        /// Nobody was there.
        case alone(FileLock)
        /// Another agent gave it everything.
        case succeeding(Takeover)
    }

    /// How long an agent that holds the lock and does not answer is waited for: it may be just starting, or ending.
    private static let patience = Duration.seconds(5)

    /// Makes the run directory and locks it for this process, or takes over from the agent that has it locked.
    /// - Throws: `alreadyRunning`, naming the other agent's process; `handover`, with its reason; `resources`.
    static func begin(_ configuration: KeeperConfiguration) throws(KeeperError) -> Beginning {
        let deadline = ContinuousClock.now + patience
        while true {
            let holder: Int32?
            switch try lock(configuration) {
            case .locked(let lock): return .alone(lock)
            case .heldByOther(let pid): holder = pid
            }
            guard configuration.takesOver else { throw alreadyRunning(holder, configuration) }
            if let takeover = try Takeover.attempt(configuration) { return .succeeding(takeover) }
            guard ContinuousClock.now < deadline else { throw alreadyRunning(holder, configuration) }
            CurrentProcess.pause(milliseconds: 50)
        }
    }

    private static func lock(_ configuration: KeeperConfiguration) throws(KeeperError) -> FileLock.Outcome {
        do {
            try Files.makeDirectory(configuration.runDirectory, mode: 0o755)
            return try FileLock.acquire(configuration.lockPath)
        } catch {
            throw KeeperError(.resources, "the run directory \(configuration.runDirectory) cannot be used: \(error)")
        }
    }

    private static func alreadyRunning(_ pid: Int32?, _ configuration: KeeperConfiguration) -> KeeperError {
        let process = pid.map { " (process \($0))" } ?? ""
        return KeeperError(
            .alreadyRunning,
            "another agent runs on this node\(process): it holds \(configuration.lockPath); to take over from it, as an "
                + "upgrade does, add --take-over")
    }
}
