internal import Addressing
internal import Kernel

/// The agent's own listeners. The keeper holds them, so that connections wait in the backlog while no worker runs, and
/// hands them to the agent that succeeds it.
final class AgentListeners {
    /// One of them; the raw value is its place in the list.
    enum Name: Int, CaseIterable {
        case admin, metrics, readiness
        /// Where workers' streams to the controller arrive.
        case controller
        /// The controller's own HTTP interface.
        case controllerAdmin
        /// Where other nodes reach the controller; `/dev/null` when it serves this node only.
        case controllerNetwork
        /// Whoever connects here is told what the keeper knows.
        case facts
        /// Where the next agent arrives.
        case handover
        /// Where the CNI plugin arrives.
        case cni
    }

    private var descriptors: DescriptorList
    private let paths: [String]

    /// The number of one of them, while this object has it; -1 when it was closed.
    subscript(name: Name) -> Int32 { descriptors.raw(at: name.rawValue) ?? -1 }

    /// All of them, to be passed on.
    var rawNumbers: [Int32] { descriptors.rawNumbers }

    /// - Throws: `addressInUse`, naming the port or path.
    static func open(_ configuration: KeeperConfiguration) throws(KeeperError) -> AgentListeners {
        // The worker of a keeper that was killed still holds the ports until it has seen that end.
        let deadline = ContinuousClock.now + .seconds(3)
        while true {
            do {
                return try AgentListeners(configuration) { _ in nil }
            } catch {
                if error.code != .addressInUse || ContinuousClock.now >= deadline { throw error }
                CurrentProcess.pause(milliseconds: 50)
            }
        }
    }

    /// Takes over those of another agent, in the order of `Name`, and opens those that are to be elsewhere now.
    /// - Throws: `addressInUse`, naming the port or path.
    convenience init(
        adopting inherited: DescriptorList, adminPath: String, _ configuration: KeeperConfiguration
    ) throws(KeeperError) {
        try self.init(configuration) { name in
            guard let number = inherited.raw(at: name.rawValue),
                Self.isAsWanted(name, number, adminPath: adminPath, configuration)
            else { return nil }
            return inherited.take(at: name.rawValue)
        }
        if adminPath != configuration.adminPath { try? Files.remove(adminPath) }
    }

    private init(
        _ configuration: KeeperConfiguration, existing: (Name) -> Descriptor?
    ) throws(KeeperError) {
        descriptors = DescriptorList()
        paths = Name.allCases.compactMap { $0.path(configuration) }
        for name in Name.allCases {
            if let descriptor = existing(name) {
                descriptors.append(descriptor)
            } else {
                descriptors.append(try Self.open(name, configuration))
            }
        }
    }

    /// They are another agent's now: closed here, and not shut down.
    func close() {
        descriptors = DescriptorList()
    }

    /// Deletes the socket files.
    func removeFiles() {
        for path in paths { try? Files.remove(path) }
    }

    private static func isAsWanted(
        _ name: Name, _ number: Int32, adminPath: String, _ configuration: KeeperConfiguration
    ) -> Bool {
        switch name {
        case .admin: adminPath == configuration.adminPath
        case .metrics: isAt(configuration.metricsPort, number)
        case .readiness: isAt(configuration.readinessPort, number)
        case .controllerNetwork:
            SocketAddress.ofSocket(number).map { found in
                guard let wanted = configuration.controllerListenAddress else { return false }
                return found.ip == wanted.ip && (wanted.port == 0 || wanted.port == found.port)
            } ?? (configuration.controllerListenAddress == nil)
        case .controller, .controllerAdmin, .facts, .handover, .cni: true
        }
    }

    private static func isAt(_ port: UInt16, _ number: Int32) -> Bool {
        guard let found = SocketAddress.ofSocket(number)?.port else { return false }
        return port == 0 || port == found
    }

    private static func open(_ name: Name, _ configuration: KeeperConfiguration) throws(KeeperError) -> Descriptor {
        let what = name.text(configuration)
        do {
            if let path = name.path(configuration) {
                return try UnixSocket.listen(path, name.kind, mode: 0o600)
            }
            switch name {
            case .metrics: return try PodSockets.openListener(port: configuration.metricsPort, mark: nil)
            case .readiness: return try PodSockets.openListener(port: configuration.readinessPort, mark: nil)
            case .admin, .controller, .controllerAdmin, .controllerNetwork, .facts, .handover, .cni:
                guard let address = configuration.controllerListenAddress else {
                    return try Descriptor.open("/dev/null", .read)
                }
                return try TCPSocket.listener(at: address, backlog: PodSockets.backlog)
            }
        } catch {
            guard error.isAddressInUse else { throw KeeperError(.resources, "\(what): \(error)") }
            throw KeeperError(
                .addressInUse,
                "\(what) is in use: another program listens there, or the worker of an agent that was killed")
        }
    }
}

extension AgentListeners.Name {
    fileprivate var kind: UnixSocket.Kind {
        switch self {
        case .facts, .handover: .messages
        case .admin, .metrics, .readiness, .controller, .controllerAdmin, .controllerNetwork, .cni: .stream
        }
    }

    /// Nil for those that have no file.
    fileprivate func path(_ configuration: KeeperConfiguration) -> String? {
        switch self {
        case .admin: configuration.adminPath
        case .controller: configuration.controllerPath
        case .controllerAdmin: configuration.controllerAdminPath
        case .facts: configuration.factsPath
        case .handover: configuration.handoverPath
        case .cni: configuration.cniPath
        case .metrics, .readiness, .controllerNetwork: nil
        }
    }

    fileprivate func text(_ configuration: KeeperConfiguration) -> String {
        if let path = path(configuration) { return "socket \(path)" }
        switch self {
        case .metrics: return "metrics port \(configuration.metricsPort)"
        case .readiness: return "readiness port \(configuration.readinessPort)"
        case .admin, .controller, .controllerAdmin, .controllerNetwork, .facts, .handover, .cni:
            return "controller's address \(configuration.controllerListenAddress?.description ?? "")"
        }
    }
}
