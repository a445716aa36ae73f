internal import Addressing
internal import Keeper
internal import Kernel

/// Puts a controller together: as the child of a keeper, of what it inherited; or alone, of what it opens itself.
enum ControllerAssembly {
    /// Serves the node of the keeper, and other nodes if it was told where.
    static func runEmbedded(_ settings: ControllerSettings, node: String, _ log: ProcessLog) throws {
        CurrentProcess.allowManyConnections()
        let process = try ControllerProcess(settings, node: node, log: log)
        try process.serveNode(
            keeper: MessageSocket(Descriptor(owning: InheritedDescriptor.Controller.keeper)),
            listener: Descriptor(owning: InheritedDescriptor.Controller.listener))
        try process.serveAdmin(Descriptor(owning: InheritedDescriptor.Controller.adminListener))
        let network = Descriptor(owning: InheritedDescriptor.Controller.networkListener)
        if settings.source.listenAddress != nil { try process.serveNetwork(network) }
        try process.run()
    }

    /// Serves nodes elsewhere until SIGTERM or SIGINT.
    static func runAlone(_ settings: ControllerSettings, _ log: ProcessLog) throws {
        try StartUpCheck.checkManifests(settings.source.manifestDirectory)
        CurrentProcess.allowManyConnections()
        let process = try ControllerProcess(settings, node: nil, log: log)
        let signals = try StopSignals(loop: process.loop)
        try process.serveAdmin(try adminListener(settings))
        try process.serveNetwork(try networkListener(settings))
        log.write(.notice, "serves agents at \(settings.source.listenAddress ?? "nothing")")
        try process.run()
        signals.end()
        try? Files.remove(settings.adminSocketPath)
    }

    private static func adminListener(_ settings: ControllerSettings) throws -> Descriptor {
        do throws(SystemError) {
            try Files.makeDirectory(settings.runDirectory, mode: 0o755)
            return try UnixSocket.listen(settings.adminSocketPath, mode: 0o600)
        } catch {
            throw AgentError(
                .notStarted,
                "the admin socket \(settings.adminSocketPath) cannot be opened (\(error)): name a directory of your own with "
                    + "--run-directory, or end the controller that uses it")
        }
    }

    private static func networkListener(_ settings: ControllerSettings) throws -> Descriptor {
        guard let text = settings.source.listenAddress, let address = SocketAddress(text) else {
            throw AgentError(.badConfiguration, "a controller needs an address to listen on: --listen ADDRESS:PORT")
        }
        do throws(SystemError) {
            return try TCPSocket.listener(at: address, backlog: 1024)
        } catch {
            throw AgentError(.notStarted, "agents cannot be served at \(text): \(SystemError.text(of: error.code))")
        }
    }
}

extension CurrentProcess {
    /// A node of the mesh is one connection. With as many as the system gives it goes on.
    fileprivate static func allowManyConnections() {
        _ = try? raiseDescriptorLimit(to: 65_536)
    }
}

/// Ends a loop on SIGTERM or SIGINT.
private final class StopSignals: EventHandler {
    private let source: SignalSource
    private let loop: EventLoop
    private var registration: EventLoop.Registration?

    init(loop: EventLoop) throws(SystemError) {
        source = try SignalSource([.terminate, .interrupt])
        self.loop = loop
        registration = try loop.register(source.descriptor.raw, .level, handler: self)
    }

    func ready(_ readiness: Readiness) {
        while source.next() != nil { loop.stop() }
    }

    func end() {
        if let registration { loop.unregister(registration) }
        registration = nil
    }
}
