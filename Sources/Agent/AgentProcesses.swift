internal import FoundationEssentials
internal import Keeper
internal import Kernel
internal import Proxy

/// `meshnode agent`: runs the keeper, which starts the worker and the controller.
/// - Returns: the exit status of the process.
package func runAgent(_ configuration: AgentConfiguration) -> Int32 {
    let log = ProcessLog("keeper", configuration)
    do {
        try StartUpCheck.check(configuration)
        let arguments = try ChildArguments.encode(configuration)
        var keeper = KeeperConfiguration(
            workerArguments: ["meshnode", "worker"] + arguments,
            controllerArguments: ["meshnode", "controller"] + arguments,
            metricsPort: configuration.metricsPort, readinessPort: configuration.readinessPort
        ) { level, message in log.write(AgentConfiguration.LogLevel(level), message) }
        keeper.runDirectory = configuration.runDirectory
        keeper.loopCount = min(configuration.loops ?? CurrentProcess.usableCores, InheritedDescriptor.maxLoops)
        keeper.drainDeadline = .seconds(configuration.drainDeadlineSeconds)
        keeper.withdrawsOnExit = configuration.withdrawsOnExit
        try NodeKeeper(keeper).run()
        return 0
    } catch {
        log.write(.error, "\(error)")
        return AgentExit.status(of: error)
    }
}

/// `meshnode worker`: serves what the keeper handed over. Of no use without a keeper.
package func runWorker(_ arguments: [String]) -> Int32 {
    run("worker", arguments) { configuration, log in
        try CurrentProcess.denyDangerousCalls()
        SignalSource.ignoreBrokenPipes()
        try WorkerAssembly.run(configuration, log)
    }
}

/// `meshnode controller`: reads manifests and signs certificates for the keeper's worker.
package func runController(_ arguments: [String]) -> Int32 {
    run("controller", arguments) { configuration, log in
        try CurrentProcess.denyDangerousCalls()
        SignalSource.ignoreBrokenPipes()
        let process = try ControllerProcess(
            configuration, keeper: MessageSocket(Descriptor(owning: InheritedDescriptor.Controller.keeper)),
            listener: Descriptor(owning: InheritedDescriptor.Controller.listener), log: log)
        try process.run()
    }
}

private func run(
    _ name: String, _ arguments: [String], _ body: (AgentConfiguration, ProcessLog) throws -> Void
) -> Int32 {
    guard let configuration = ChildArguments.decode(arguments) else {
        StandardStream.error.write(
            Array("meshnode \(name) is started by `meshnode agent` and is of no use by itself\n".utf8))
        return AgentExit.usage
    }
    let log = ProcessLog(name, configuration)
    do {
        try body(configuration, log)
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
        let path = configuration.manifestDirectory
        do throws(SystemError) {
            _ = try Files.list(path)
        } catch {
            throw AgentError(
                .badConfiguration,
                "the manifest directory \(path) cannot be read: \(SystemError.text(of: error.code)); name a directory of "
                    + "Kubernetes manifests with --config")
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
