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

    /// Makes the run directory and locks it for this process.
    /// - Throws: `alreadyRunning`, naming the other agent's process; `resources`.
    static func lock(_ configuration: KeeperConfiguration) throws(KeeperError) -> FileLock {
        let outcome: FileLock.Outcome
        do {
            try Files.makeDirectory(configuration.runDirectory, mode: 0o755)
            outcome = try FileLock.acquire(configuration.lockPath)
        } catch {
            throw KeeperError(.resources, "the run directory \(configuration.runDirectory) cannot be used: \(error)")
        }
        switch consume outcome {
        case .locked(let lock): return lock
        case .heldByOther(let pid):
            let process = pid.map { " (process \($0))" } ?? ""
            throw KeeperError(
                .alreadyRunning, "another agent runs on this node\(process): it holds \(configuration.lockPath)")
        }
    }
}
