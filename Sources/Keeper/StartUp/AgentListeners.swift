internal import Kernel

/// The agent's own listeners. The keeper holds them, so that connections wait in the backlog while no worker runs.
final class AgentListeners {
    let admin: Descriptor
    let metrics: Descriptor
    let readiness: Descriptor
    /// Where workers' streams to the controller arrive.
    let controller: Descriptor
    /// The controller's own HTTP interface.
    let controllerAdmin: Descriptor
    /// Where other nodes reach the controller; `/dev/null` when it serves this node only.
    let controllerNetwork: Descriptor
    /// Whoever connects here is told what the keeper knows.
    let facts: Descriptor
    /// Where the next agent arrives.
    let handover: Descriptor
    /// Where the CNI plugin arrives.
    let cni: Descriptor

    private let paths: [String]

    /// - Throws: `addressInUse`, naming the port or path.
    static func open(_ configuration: KeeperConfiguration) throws(KeeperError) -> AgentListeners {
        // The worker of a keeper that was killed still holds the ports until it has seen that end.
        let deadline = ContinuousClock.now + .seconds(3)
        while true {
            do {
                return try AgentListeners(configuration)
            } catch {
                if error.code != .addressInUse || ContinuousClock.now >= deadline { throw error }
                CurrentProcess.pause(milliseconds: 50)
            }
        }
    }

    private init(_ configuration: KeeperConfiguration) throws(KeeperError) {
        paths = Self.paths(configuration)
        metrics = try Self.open("metrics port \(configuration.metricsPort)") { () throws(SystemError) in
            try PodSockets.openListener(port: configuration.metricsPort, mark: nil)
        }
        readiness = try Self.open("readiness port \(configuration.readinessPort)") { () throws(SystemError) in
            try PodSockets.openListener(port: configuration.readinessPort, mark: nil)
        }
        admin = try Self.open("admin socket", configuration.adminPath)
        controller = try Self.open("controller socket", configuration.controllerPath)
        controllerAdmin = try Self.open("controller's admin socket", configuration.controllerAdminPath)
        facts = try Self.open("keeper's socket", configuration.factsPath, .messages)
        handover = try Self.open("hand-over socket", configuration.handoverPath, .messages)
        cni = try Self.open("CNI socket", configuration.cniPath)
        guard let address = configuration.controllerListenAddress else {
            controllerNetwork = try Self.open("/dev/null") { () throws(SystemError) in
                try Descriptor.open("/dev/null", .read)
            }
            return
        }
        controllerNetwork = try Self.open("controller's address \(address)") { () throws(SystemError) in
            try PodSockets.openListener(at: address)
        }
    }

    private static func paths(_ configuration: KeeperConfiguration) -> [String] {
        [
            configuration.adminPath, configuration.controllerPath, configuration.controllerAdminPath,
            configuration.factsPath, configuration.handoverPath, configuration.cniPath,
        ]
    }

    private static func open(
        _ what: String, _ path: String, _ kind: UnixSocket.Kind = .stream
    ) throws(KeeperError) -> Descriptor {
        try open("\(what) \(path)") { () throws(SystemError) in try UnixSocket.listen(path, kind, mode: 0o600) }
    }

    private static func open(
        _ what: String, _ body: () throws(SystemError) -> Descriptor
    ) throws(KeeperError) -> Descriptor {
        do {
            return try body()
        } catch {
            throw explain(what, error)
        }
    }

    /// Deletes the socket files.
    func removeFiles() {
        for path in paths { try? Files.remove(path) }
    }

    private static func explain(_ what: String, _ error: SystemError) -> KeeperError {
        guard error.isAddressInUse else { return KeeperError(.resources, "\(what): \(error)") }
        return KeeperError(
            .addressInUse, "\(what) is in use: another program listens there, or the worker of an agent that was killed"
        )
    }
}
