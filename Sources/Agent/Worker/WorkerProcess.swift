internal import Addressing
internal import Identity
internal import Keeper
internal import Kernel
internal import Mesh
internal import Proxy
internal import Telemetry
internal import Transport
internal import XDS

/// The worker: loops that carry traffic, and this control loop that feeds them: configuration and certificates from the
/// controller, the pods' capture states from the keeper, and the reports that people read.
///
///     keeper ──pods──> loops            controller ──snapshot──> loops
///        └──states──> report               └──certificates──> loops
///
/// Everything but `start`-up is confined to the control loop.
final class WorkerProcess: MeshSubscription.Delegate, CertificateManager.Delegate {
    let configuration: AgentConfiguration
    let loop: EventLoop
    let telemetry: WorkerTelemetry
    let runners: [LoopRunner]
    private let log: ProcessLog
    private let keeper: KeeperChannel<KeeperToWorker, WorkerToKeeper>
    private var subscription: MeshSubscription?
    private var certificates: CertificateManager?
    private(set) var pods: [WorkloadUID: PodReport] = [:]
    private(set) var keeperFacts: KeeperFacts?
    private var drainTimer: Ticker?
    private var hasSaidReady = false
    let started = WallClock.secondsSince1970

    /// How often certificates are looked after and traffic is counted.
    private static let tickInterval = Duration.milliseconds(500)
    private static let controllerRetry = Duration.milliseconds(100)

    init(
        _ configuration: AgentConfiguration, control: consuming MessageSocket, runners: [LoopRunner],
        telemetry: WorkerTelemetry,
        log: ProcessLog
    ) throws {
        self.configuration = configuration
        self.runners = runners
        self.telemetry = telemetry
        self.log = log
        loop = try EventLoop()
        keeper = KeeperChannel(control, loop: loop)
    }

    // MARK: What the reports read

    var snapshot: MeshSnapshot { subscription?.snapshot ?? MeshSnapshot() }
    var hasSnapshot: Bool { subscription?.isComplete ?? false }
    var isConnectedToController: Bool { subscription?.isConnected ?? false }
    var snapshotAge: Duration? { subscription?.changedAt.map { $0.duration(to: loop.now) } }
    var controllerReport: ControllerReport? { subscription?.report }
    var certificateStatuses: [CertificateStatus] { certificates?.statuses ?? [] }
    var expiredIdentities: Set<SPIFFEID> { certificates?.expired ?? [] }

    /// Nil if new connections are served; otherwise what is missing.
    var notReadyReason: String? {
        guard hasSnapshot else { return "no configuration from the controller yet" }
        let missing = certificateStatuses.filter { $0.state == .unavailable }
        if let first = missing.first {
            return "\(missing.count) certificates missing, such as \(first.identity): \(first.lastError ?? "requested")"
        }
        return nil
    }

    // MARK: Running

    /// Serves until the drain is over or the keeper is gone and nothing runs any more.
    ///
    /// - Parameter stream: the stream to the controller that was inherited.
    func run(controller stream: consuming Descriptor) throws {
        guard let trustDomain = TrustDomain(configuration.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(configuration.trustDomain)' is not a trust domain")
        }
        let resources = LoopResources(loop: loop)
        subscription = MeshSubscription(nodeID: "meshnode~\(configuration.node)", resources: resources, delegate: self)
        certificates = CertificateManager(trustDomain: trustDomain, delegate: self)
        let ticker = Ticker(loop: loop, interval: Self.tickInterval) { [self] in tick() }
        ticker.start()
        try keeper.start { [self] in
            received($0, $1)
        } onEnd: { [self] cause in
            log.write(.error, "\(cause): finishing what runs")
            drain(for: .seconds(configuration.drainDeadlineSeconds))
        }
        subscription?.connected(stream)
        keeper.send(.requestFacts)
        try loop.run()
    }

    private func tick() {
        certificates?.tick()
        telemetry.traffic.advance(telemetry.journal.total, at: loop.now)
        keeper.send(.heartbeat)
        keeper.send(.requestFacts)
        sayReady()
    }

    private func sayReady() {
        guard !hasSaidReady, notReadyReason == nil else { return }
        hasSaidReady = true
        keeper.send(.ready)
        log.write(.info, "ready")
    }

    // MARK: From the keeper

    private func received(_ message: KeeperToWorker, _ descriptors: DescriptorList) {
        switch message {
        case .podState(let report): note(report)
        case .facts(let facts):
            keeperFacts = facts
            telemetry.keeperTold(
                restarts: UInt64(facts.workerRestarts), repairs: pods.values.reduce(0) { $0 + UInt64($1.repairs) })
        case .controllerStream:
            if let stream = descriptors.take(at: 0) { subscription?.connected(stream) }
        case .drain(let milliseconds): drain(for: .milliseconds(Int(milliseconds)))
        }
    }

    private func note(_ report: PodReport) {
        let old = pods[report.uid]
        pods[report.uid] = report.state == .withdrawn ? nil : report
        if old?.state != report.state || old?.detail != report.detail {
            let isBad = report.state == .failed
            log.write(isBad ? .error : .info, "pod \(report.uid): \(report.state) \(report.detail)")
        }
        telemetry.podsChanged(pods.values.map(\.state))
    }

    // MARK: From the controller

    func snapshotChanged(_ snapshot: MeshSnapshot) {
        for runner in runners { runner.update(snapshot) }
        telemetry.agentMetrics.configurationApplied(version: snapshot.version)
        let local = snapshot.workloads.filter { $0.node == configuration.node && $0.isEnrolled }
        certificates?.want(Set(local.map(\.identity)))
    }

    func certificateArrived(_ response: CertificateResponse) {
        certificates?.received(response)
        sayReady()
    }

    func controllerLost(_ cause: String) {
        log.write(.warning, "controller lost (\(cause)); what is in force stays in force")
        certificates?.controllerLost(cause)
        let retry = Ticker(loop: loop, interval: Self.controllerRetry) { [self] in
            reconnect?.stop()
            reconnect = nil
            keeper.send(.requestControllerStream)
        }
        reconnect?.stop()
        reconnect = retry
        retry.start()
    }

    private var reconnect: Ticker?

    func resourcesRejected(_ errors: [XDSError]) {
        for error in errors { log.write(.error, "configuration refused: \(error)") }
    }

    // MARK: Certificates

    func send(_ request: CertificateRequest) -> Bool { subscription?.send(request) ?? false }

    func certificateReady(_ svid: SVID) {
        telemetry.agentMetrics.certificateInstalled(for: svid.identity, expiresAt: svid.notAfter)
        for runner in runners {
            runner.update(svid) { [log] in log.write(.error, "certificate of \(svid.identity) cannot be used: \($0)") }
        }
    }

    func certificateGone(_ identity: SPIFFEID) {
        telemetry.agentMetrics.certificateRemoved(for: identity)
        for runner in runners { runner.remove(identity) }
    }

    func bundlesChanged(_ bundles: TrustBundles) {
        for runner in runners { runner.update(bundles) }
    }

    func renewalEnded(successfully isSuccess: Bool) {
        telemetry.agentMetrics.renewalEnded(successfully: isSuccess)
    }

    // MARK: Drain

    private var isDraining = false

    /// Accepts no more; ends when nothing runs any more, at the deadline at the latest.
    private func drain(for deadline: Duration) {
        guard !isDraining else { return }
        isDraining = true
        log.write(.info, "draining for at most \(deadline)")
        let remaining = Countdown(runners.count) { [loop] in loop.post { loop.stop() } }
        for runner in runners { runner.drain { remaining.countDown() } }
        let timer = Ticker(loop: loop, interval: deadline) { [loop] in loop.stop() }
        drainTimer = timer
        timer.start()
    }
}
