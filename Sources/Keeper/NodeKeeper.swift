internal import Addressing
internal import Capture
internal import Kernel
internal import Mesh

/// The privileged process of the agent: it captures pods, opens every socket that must live in one, holds all
/// listeners, starts the worker and the controller again when they end, and hands all of it to the agent that succeeds
/// it. It parses nothing that comes from the network.
///
/// Confined to the thread that calls `run`, but for `stop`.
package final class NodeKeeper {
    let configuration: KeeperConfiguration
    let loop: EventLoop
    /// Nil once another agent has it.
    var lock: FileLock?
    let cgroup: AgentCgroup?
    /// This agent's sockets, and those of agents before and after it that still run.
    var exemption: AgentExemption
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
    private var quietTrim = QuietTrim()
    var unenrolments = UnenrolmentBudget()
    var counters = KeeperCounters()

    var workerSupervisor = ChildSupervisor()
    var worker: Worker?
    /// What the last worker left for the next: sealed memory.
    var workerState: Descriptor?
    /// Its size in bytes.
    var workerStateSize = 0
    var controllerSupervisor = ChildSupervisor()
    var controller: Controller?
    /// Why the children ended last, or could not be started; empty: they never did.
    var lastEnds = (worker: "", controller: "")
    var isStopping = false
    /// The agent was told to end, by whoever may.
    var wasToldToEnd = false

    /// Handing over to the agent that comes next.
    var giver = HandoverGiver()
    var successor: Successor?
    var visitors: [ObjectIdentifier: Successor] = [:]
    /// What the controller said while another agent was taking over.
    var deferred: [() -> Void] = []
    /// Succeeding the agent before this one; nil once that one is gone, or where there was none.
    var takeover: Takeover?
    var predecessor: MessageChannel?
    /// Cgroups of agents before this one that may still have processes.
    var foreignCgroups: [InheritedAgent.ExemptCgroup] = []
    /// Why the agent ends though nobody told it to.
    var failure: KeeperError?

    /// Those who are being told what the keeper knows.
    var readers: [FactsReader] = []
    var acceptors: [UnixAcceptor] = []
    /// What the container runtime asks.
    let plugin = PluginDesk()
    private var signals: SignalHandler?

    /// Takes what the agent needs of its own: lock, cgroup, listeners; from the agent that runs, if there is one.
    /// Called on the thread that will `run`, before any other thread is started.
    /// - Throws: `missingCapability`, `alreadyRunning`, `handover`, `addressInUse` or `resources`, each with a message
    ///   for an operator; nothing has been changed then.
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
        SignalSource.ignoreBrokenPipes()
        do {
            loop = try EventLoop()
            try CurrentProcess.raiseDescriptorLimit(to: 65_536)
        } catch {
            throw KeeperError(.resources, "\(error)")
        }
        switch try StartUpChecks.begin(configuration) {
        case .alone(let lock):
            self.lock = consume lock
            listeners = try AgentListeners.open(configuration)
            cgroup = Self.enterCgroup(configuration)
            exemption = cgroup?.exemption ?? .mark
        case .succeeding(let takeover):
            guard let agent = takeover.agent, let lock = takeover.descriptors.take(at: 0) else {
                throw KeeperError(.handover, "the agent that runs left nothing")
            }
            self.lock = FileLock.adopt(lock)
            cgroup = takeover.cgroup
            exemption = AgentCgroup.exempting(cgroup?.cgroup, and: agent.cgroups)
            listeners = try AgentListeners(
                adopting: takeover.takeListeners(), adminPath: agent.adminPath, configuration)
            foreignCgroups = agent.cgroups
            counters = agent.counters
            if let state = takeover.takeState() {
                workerStateSize = (try? SealedMemory.size(of: state)) ?? 0
                workerState = consume state
            }
            self.takeover = takeover
        }
    }

    private static func enterCgroup(_ configuration: KeeperConfiguration) -> AgentCgroup? {
        do {
            return try AgentCgroup.enter()
        } catch {
            configuration.log(
                .warning,
                "no cgroup v2 for the agent (\(error)): its sockets are exempt by their mark, which any container with "
                    + "CAP_NET_RAW can forge")
            return nil
        }
    }

    /// Starts the children and serves until the agent is told to end: by SIGTERM or SIGINT (a second one ends it at
    /// once), by `stop`, or because another agent has succeeded it.
    /// - Parameter handlesSignals: false where signals are somebody else's, as in a test.
    /// - Throws: `SystemError` if the loop itself is unusable; `KeeperError` of code `handover` if the agent that this
    ///   one was to succeed goes on: nothing of that one's was touched then.
    package func run(handlesSignals: Bool = true) throws {
        if handlesSignals {
            signals = try SignalHandler(loop: loop) { [unowned self] in stopRequested() }
        }
        defer { finish() }
        scheduleTick()
        if takeover == nil { try openDoors() } else { try adoptAll() }
        perform(controllerSupervisor.startRequested(), startController)
        perform(workerSupervisor.startRequested(), startWorker)
        try loop.run()
        if let failure { throw failure }
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

    /// Whether rules, files and listeners are this agent's alone to change.
    var isInCharge: Bool { takeover.map(\.isInCharge) ?? true && !giver.hasYielded }

    /// Nothing is captured or let go while one agent succeeds another.
    var isHandingOver: Bool { giver.isOffering || !isInCharge }

    private func finish() {
        if isInCharge {
            deleteRules { configuration.withdrawsOnExit || $0.enrolment.isWithdrawing }
            listeners.removeFiles()
            lock?.forget()
        }
        closeDoors()
        predecessor?.close()
        for visitor in visitors.values { visitor.channel.close() }
        for reader in readers { reader.channel?.close() }
        worker = nil
        controller = nil
        // The one that succeeded this agent takes it away.
        if !giver.hasYielded {
            do {
                try cgroup?.remove()
            } catch {
                log(.warning, "the agent's cgroup stays until the next start: \(error)")
            }
        }
        log(.info, "the agent has ended")
    }

    // MARK: Every second

    /// Rules are looked at, and withdrawals ended, this often.
    private static let tick = Duration.seconds(1)

    private func scheduleTick() {
        loop.schedule(
            after: Self.tick,
            TimerCall { [unowned self] in
                checkWorker()
                checkHandover()
                if !isHandingOver { checkPods() }
                if quietTrim.ticked(used: CurrentProcess.processorTime, at: loop.now) {
                    CurrentProcess.releaseUnusedMemory()
                }
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
