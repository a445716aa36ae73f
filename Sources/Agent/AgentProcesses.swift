internal import Addressing
internal import FoundationEssentials
internal import Keeper
internal import Kernel
internal import Proxy

/// `meshnode agent`: runs the keeper, which starts the worker and the controller or subscriber.
/// - Returns: the exit status of the process.
package func runAgent(_ configuration: AgentConfiguration) -> Int32 {
    let log = ProcessLog("keeper", configuration)
    do {
        try StartUpCheck.check(configuration)
        let keeper = try KeeperConfiguration(configuration) { level, message in
            log.write(AgentConfiguration.LogLevel(level), message)
        }
        try NodeKeeper(keeper).run()
        return 0
    } catch {
        log.write(.error, "\(error)")
        return AgentExit.status(of: error)
    }
}

/// `meshnode worker`: serves what the keeper handed over. Of no use without a keeper.
package func runWorker(_ arguments: [String]) -> Int32 {
    runChild("worker", arguments) { configuration, log in try WorkerAssembly.run(configuration, log) }
}

/// `meshnode embedded-controller`: the mesh's controller as a child of a keeper, and of no use without one.
package func runEmbeddedController(_ arguments: [String]) -> Int32 {
    runChild("controller", arguments) { configuration, log in
        guard case .embedded(let source) = configuration.controller else {
            throw AgentError(.badConfiguration, "this agent embeds no controller")
        }
        try ControllerAssembly.runEmbedded(configuration.settings(of: source), node: configuration.node, log)
    }
}

/// `meshnode subscriber`: the link to a controller elsewhere, as a child of a keeper, and of no use without one.
package func runSubscriber(_ arguments: [String]) -> Int32 {
    runChild("subscriber", arguments) { configuration, log in
        guard case .remote(let remote) = configuration.controller else {
            throw AgentError(.badConfiguration, "this agent embeds its controller")
        }
        try SubscriberProcess(configuration, remote, log: log).runInherited()
    }
}

/// `meshnode controller`: the mesh's controller without an agent.
/// - Returns: the exit status of the process.
package func runController(_ settings: ControllerSettings) -> Int32 {
    let log = ProcessLog("controller", settings.logFormat, settings.logLevel)
    return run(log) { try ControllerAssembly.runAlone(settings, log) }
}

private func runChild(
    _ name: String, _ arguments: [String], _ body: (AgentConfiguration, ProcessLog) throws -> Void
) -> Int32 {
    guard let configuration = ChildArguments.decode(arguments) else {
        StandardStream.error.write(
            Array("meshnode \(name) is started by `meshnode agent` and is of no use by itself\n".utf8))
        return AgentExit.usage
    }
    let log = ProcessLog(name, configuration)
    return run(log) { try body(configuration, log) }
}

private func run(_ log: ProcessLog, _ body: () throws -> Void) -> Int32 {
    do {
        SignalSource.ignoreBrokenPipes()
        try CurrentProcess.denyDangerousCalls()
        try body()
        return 0
    } catch {
        log.write(.error, "\(error)")
        return AgentExit.status(of: error)
    }
}

/// How the configuration travels to a child: one argument, JSON.
enum ChildArguments {
    static func encode(_ configuration: AgentConfiguration) throws -> [String] {
        [String(decoding: try JSONEncoder().encode(configuration), as: UTF8.self)]
    }

    static func decode(_ arguments: [String]) -> AgentConfiguration? {
        guard let text = arguments.last else { return nil }
        return try? JSONDecoder().decode(AgentConfiguration.self, from: Data(text.utf8))
    }
}

/// Exit statuses of the processes, as the commands have them (sysexits.h where there is one).
enum AgentExit {
    static let usage: Int32 = 64

    static func status(of error: any Error) -> Int32 {
        switch error {
        case let error as KeeperError where error.code == .missingCapability: 77
        case let error as AgentError where error.code == .badConfiguration: 65
        default: 1
        }
    }
}

/// What can be known to be wrong before anything is started.
enum StartUpCheck {
    static func check(_ configuration: AgentConfiguration) throws {
        switch configuration.controller {
        case .embedded(let source): try checkManifests(source.manifestDirectory)
        case .remote(let remote): try checkToken(remote)
        }
    }

    static func checkManifests(_ path: String) throws {
        do throws(SystemError) {
            _ = try Files.list(path)
        } catch {
            throw AgentError(
                .badConfiguration,
                "the manifest directory \(path) cannot be read: \(SystemError.text(of: error.code)); name a directory of "
                    + "Kubernetes manifests with --config")
        }
    }

    private static func checkToken(_ remote: AgentConfiguration.RemoteController) throws {
        guard let path = remote.joinTokenFile else { return }
        do throws(SystemError) {
            _ = try Files.read(path, limit: 4096)
        } catch {
            throw AgentError(
                .badConfiguration,
                "the join token \(path) cannot be read: \(SystemError.text(of: error.code)); make one where the "
                    + "controller is: meshnode token create --node NAME > FILE")
        }
    }
}

extension KeeperConfiguration {
    /// What the keeper needs of the agent's configuration.
    init(
        _ configuration: AgentConfiguration, log: @escaping @Sendable (KeeperLogLevel, String) -> Void
    ) throws {
        let arguments = try ChildArguments.encode(configuration)
        let controller =
            switch configuration.controller {
            case .embedded: "embedded-controller"
            case .remote: "subscriber"
            }
        self.init(
            workerArguments: ["meshnode", "worker"] + arguments,
            controllerArguments: ["meshnode", controller] + arguments,
            metricsPort: configuration.metricsPort, readinessPort: configuration.readinessPort, log: log)
        runDirectory = configuration.runDirectory
        loopCount = min(configuration.loops ?? CurrentProcess.usableCores, InheritedDescriptor.maxLoops)
        drainDeadline = .seconds(configuration.drainDeadlineSeconds)
        withdrawsOnExit = configuration.withdrawsOnExit
        takesOver = configuration.takesOver
        excludedNamespaces.formUnion(configuration.rootNamespaces)
        if case .embedded(let source) = configuration.controller, let listen = source.listenAddress {
            guard let address = SocketAddress(listen) else {
                throw AgentError(.badConfiguration, "'\(listen)' is no address and port to listen on")
            }
            controllerListenAddress = address
        }
    }
}

extension AgentConfiguration.LogLevel {
    fileprivate init(_ level: KeeperLogLevel) {
        self =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
    }
}
