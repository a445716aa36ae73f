internal import Addressing
internal import Capture
package import Kernel
internal import Mesh

/// The privileged process of the agent: it captures pods, opens every socket that must live in one, holds all
/// listeners, and starts the worker and the controller again when they end. It parses nothing that comes from
/// the network.
///
/// Confined to the thread that calls `run`, but for `stop`.
package final class NodeKeeper {
    let configuration: KeeperConfiguration
    let loop: EventLoop
    private let lock: FileLock
    private let cgroup: AgentCgroup?
    let exemption: AgentExemption
    let listeners: AgentListeners
    let finder: NamespaceFinder
    /// Starts a child; another in tests.
    let launch: (ChildSpecification) throws(SystemError) -> ChildProcess

    var wishes = PodWishes()
    var pods: [WorkloadUID: Pod] = [:]
    /// Released pods whose netlink sockets close a second later: closed right after the deletion they would hold up the
    /// loop, about 10 ms each, until the kernel has freed the rules.
    var retired: [CapturedPod] = []
    var searchTimer: TimerID?

    var workerSupervisor = ChildSupervisor()
    var worker: Worker?
    var controllerSupervisor = ChildSupervisor()
    var controller: Controller?
    var isStopping = false
    /// Nothing is captured or let go while another agent takes over.
    var isHandingOver: Bool { false }

    var unenrolments = UnenrolmentBudget()
    /// Pods whose capture was ended.
    var unenrolmentCount: UInt32 = 0

    private var signals: SignalHandler?

    /// Takes what the agent needs of its own: lock, cgroup, listeners. Called on the thread that will `run`, before
    /// any other thread is started.
    /// - Throws: `missingCapability`, `alreadyRunning`, `addressInUse` or `resources`, each with a message for an
    ///   operator; nothing has been changed then.
    package convenience init(_ configuration: KeeperConfiguration) throws(KeeperError) {
        try self.init(configuration) { specification throws(SystemError) in try ChildProcess.start(specification) }
    }

    init(
        _ configuration: KeeperConfiguration,
        launch: @escaping (ChildSpecification) throws(SystemError) -> ChildProcess
    ) throws(KeeperError) {
        self.configuration = configuration
        self.launch = launch
        finder = NamespaceFinder(directories: configuration.namespaceDirectories)
        try StartUpChecks.checkCapabilities()
        lock = try StartUpChecks.lock(configuration)
        SignalSource.ignoreBrokenPipes()
        do {
            loop = try EventLoop()
            try CurrentProcess.raiseDescriptorLimit(to: 65_536)
        } catch {
            throw KeeperError(.resources, "\(error)")
        }
        listeners = try AgentListeners.open(configuration)
        do {
            let own = try AgentCgroup.enter()
            exemption = own.exemption
            cgroup = consume own
        } catch {
            configuration.log(
                .warning,
                "no cgroup v2 for the agent (\(error)): its sockets are exempt by their mark, which any container with "
                    + "CAP_NET_RAW can forge")
            exemption = .mark
            cgroup = nil
        }
    }

    /// Starts the children and serves until the agent is told to end: by SIGTERM or SIGINT (a second one ends it at
    /// once), or by `stop`.
    /// - Parameter handlesSignals: false where signals are somebody else's, as in a test.
    /// - Throws: only what makes the loop itself unusable.
    package func run(handlesSignals: Bool = true) throws(SystemError) {
        if handlesSignals {
            signals = try SignalHandler(loop: loop) { [unowned self] in stopRequested() }
        }
        defer { finish() }
        scheduleTick()
        perform(controllerSupervisor.startRequested(), startController)
        perform(workerSupervisor.startRequested(), startWorker)
        try loop.run()
    }

    /// Ends the agent as SIGTERM does. May be called from any thread.
    package func stop() {
        let keeper = UncheckedKeeper(keeper: self)
        loop.post { keeper.keeper.stopRequested() }
    }

    /// A log line.
    func log(_ level: KeeperLogLevel, _ message: String) {
        configuration.log(level, message)
    }

    private func finish() {
        deleteRules { configuration.withdrawsOnExit || $0.enrolment.isWithdrawing }
        worker = nil
        controller = nil
        listeners.removeFiles()
        do {
            try cgroup?.remove()
        } catch {
            log(.warning, "the agent's cgroup stays until the next start: \(error)")
        }
        lock.forget()
        log(.info, "the agent has ended")
    }

    // MARK: Every second

    /// Rules are looked at, and withdrawals ended, this often.
    private static let tick = Duration.seconds(1)

    private func scheduleTick() {
        loop.schedule(
            after: Self.tick,
            TimerCall { [unowned self] in
                checkPods()
                scheduleTick()
            })
    }
}

/// Carries the keeper to its own thread, where `post` runs what it was given.
private struct UncheckedKeeper: @unchecked Sendable {
    // @unchecked: only touched on the keeper's loop.
    let keeper: NodeKeeper
}

/// Reads signals on the loop.
private final class SignalHandler: EventHandler {
    private let source: SignalSource
    private let onStop: () -> Void

    init(loop: EventLoop, onStop: @escaping () -> Void) throws(SystemError) {
        source = try SignalSource([.terminate, .interrupt])
        self.onStop = onStop
        _ = try loop.register(source.descriptor.raw, .level, handler: self)
    }

    func ready(_ readiness: Readiness) {
        while source.next() != nil { onStop() }
    }
}
