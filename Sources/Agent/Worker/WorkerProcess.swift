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
    private var quietTrim = QuietTrim()
    /// Seconds since 1970, as this worker saw it; nil while the controller is heard of.
    private(set) var controllerLostAt: Int64?
    private var hasSaidReady = false
    private var hasLostKeeper = false
    private var failure: AgentError?
    private var handOver: StateHandOver?
    private var lastRelease: ContinuousClock.Instant?
    /// Makes the JSON of this node's report; called on the control loop. Set before `run`.
    var nodeReport: (WorkerProcess) -> [UInt8]? = { _ in nil }
    /// Closes the listeners of metrics, readiness and the admin interface; called on the control loop, again and again,
    /// once another agent is in charge. Set before `run`.
    var onYielded: () -> Void = {}
    let started = WallClock.secondsSince1970

    /// How often certificates are looked after and traffic is counted.
    private static let tickInterval = Duration.milliseconds(500)
    private static let controllerRetry = Duration.milliseconds(250)
    /// A keeper that ends closes all its channels, one after the other.
    private static let keeperEndsWithin = Duration.milliseconds(250)
    private static let releaseInterval = Duration.seconds(10)

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
    var hasReachedController: Bool { subscription?.hasReachedController ?? false }
    var certificateStatuses: [CertificateStatus] { certificates?.statuses ?? [] }
    var expiredIdentities: Set<SPIFFEID> { certificates?.expired ?? [] }
    /// What is wrong with this node's clock; nil if nothing seems to be.
    var clockProblem: String? { certificates?.clockProblem }

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
    /// - Parameters:
    ///   - stream: the stream to the controller that was inherited.
    ///   - state: what the worker before this one left; nil if there is nothing.
    /// - Throws: what kept it from starting, or `brokenChannel` if another worker should take its place.
    func run(controller stream: consuming Descriptor, restoring state: WorkerState? = nil) throws {
        guard let trustDomain = TrustDomain(configuration.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(configuration.trustDomain)' is not a trust domain")
        }
        let resources = LoopResources(loop: loop)
        let subscription = MeshSubscription(
            nodeID: "meshnode~\(configuration.node)", node: configuration.node, resources: resources, delegate: self)
        self.subscription = subscription
        certificates = CertificateManager(trustDomain: trustDomain, delegate: self)
        handOver = makeHandOver()
        let ticker = Ticker(loop: loop, interval: Self.tickInterval) { [self] in tick() }
        ticker.start()
        try keeper.start { [self] in
            received($0, $1)
        } onLost: {
            // It is asked for until it comes.
            $0 == .controllerStream
        } onEnd: { [self] cause in
            hasLostKeeper = true
            log.write(.error, "\(cause): finishing what runs")
            drain(for: .seconds(configuration.drainDeadlineSeconds))
        }
        // Not before the keeper can be told that this is enough to serve.
        if let state { restore(state, trustDomain) }
        sayReady()
        subscription.connected(stream)
        keeper.send(.requestFacts)
        try loop.run()
        ticker.stop()
        subscription.stop()
        if let failure { throw failure }
    }

    private func tick() {
        certificates?.tick()
        telemetry.traffic.advance(telemetry.journal.total, at: loop.now)
        if let snapshotAge { telemetry.agentMetrics.configurationAged(snapshotAge) }
        keeper.send(.heartbeat)
        keeper.send(.requestFacts)
        sayReady()
        if !isDraining { handOver?.tick(at: loop.now) }
        releaseGone()
        if quietTrim.ticked(used: CurrentProcess.processorTime, at: loop.now) { CurrentProcess.releaseUnusedMemory() }
    }

    /// Again and again: a connection that ended after its pod brings some back.
    private func releaseGone() {
        guard lastRelease.map({ $0.duration(to: loop.now) >= Self.releaseInterval }) ?? true, hasSnapshot else {
            return
        }
        lastRelease = loop.now
        let (snapshot, pods) = (snapshot, pods)
        telemetry.releaseMetrics {
            snapshot.workload($0) != nil || pods[$0] != nil
        } exceptPolicies: {
            snapshot.policy($0) != nil
        }
    }

    // MARK: Hand-over to the next worker

    private func makeHandOver() -> StateHandOver {
        StateHandOver { [self] () throws(AgentError) in
            guard let mesh = try subscription?.savedMesh(), let certificates else { return nil }
            var state = WorkerState(node: configuration.node, writtenAt: WallClock.secondsSince1970)
            state.mesh = mesh
            state.take(certificates.svids, certificates.bundles)
            return state
        } send: { [keeper] memory in
            keeper.send(.state, memory)
        } complain: { [log] in
            log.write(.warning, $0)
        }
    }

    /// Goes on with what the worker before this one left. What cannot be used is asked for anew.
    private func restore(_ state: WorkerState, _ trustDomain: TrustDomain) {
        do throws(AgentError) {
            let svids = state.svids(at: WallClock.secondsSince1970)
            certificates?.restore(svids, try state.trustBundles(own: trustDomain))
            try subscription?.restore(state.mesh)
            let age = WallClock.secondsSince1970 &- state.writtenAt
            log.write(.notice, "going on with the state of \(age) s ago: \(svids.count) certificates")
        } catch {
            log.write(.warning, "\(error)")
        }
    }

    // MARK: Loops

    /// The channel of loop `index` to the keeper ended. If the keeper lives, the loop can never have listeners again:
    /// the whole worker ends, and the keeper starts another. Called on the control loop.
    func loopLostKeeper(_ index: Int, _ cause: String) {
        guard !hasLostKeeper, !isDraining, failure == nil else { return }
        let timer = Ticker(loop: loop, interval: Self.keeperEndsWithin) { [self] in
            loopTimer?.stop()
            guard !hasLostKeeper, !isDraining, failure == nil else { return }
            let text = "loop \(index) lost its channel to the keeper (\(cause)): another worker must take over"
            failure = AgentError(.brokenChannel, text)
            log.write(.error, text)
            loop.stop()
        }
        loopTimer = timer
        timer.start()
    }

    private var loopTimer: Ticker?

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
            let isFirst = keeperFacts == nil
            keeperFacts = facts
            // Only now there is something to report; the controller shows a node that never did as lost.
            if isFirst { subscription?.sendReport() }
            // Who asks from now on is to hear of the worker that serves.
            if facts.handover == .yielded { onYielded() }
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
            let detail = report.detail.isEmpty ? "" : " \(report.detail)"
            log.write(isBad ? .error : .info, "pod \(report.uid): \(report.state)\(detail)")
        }
        telemetry.podsChanged(pods.values.map(\.state))
    }

    // MARK: From the controller

    func snapshotChanged(_ snapshot: MeshSnapshot) {
        for runner in runners { runner.update(snapshot) }
        telemetry.agentMetrics.configurationApplied(version: snapshot.version)
        certificates?.want(Set(snapshot.enrolledWorkloads(onNode: configuration.node).map(\.identity)))
        handOver?.changed()
        sayReady()
    }

    func controllerReported(_ report: ControllerReport) {
        controllerLostAt = report.linkTrouble.isEmpty ? nil : controllerLostAt ?? WallClock.secondsSince1970
        do {
            try certificates?.trust(bundlePEM: report.trustBundlePEM, revokedSerials: report.revokedSerials)
        } catch {
            log.write(.error, "the roots that the controller tells cannot be used: \(error)")
        }
        if let issuer = report.authority.first(where: { $0.role == .issuer }) {
            certificates?.issuerReported(issuer.serial)
        }
    }

    /// Nil while what the report is made of has not been heard of: half of it would look like a node without pods.
    func makeNodeReport() -> [UInt8]? {
        keeperFacts == nil || controllerReport == nil ? nil : nodeReport(self)
    }

    /// Asks the controller for the reports of all nodes; on the control loop.
    func askForMesh(_ complete: @escaping (MeshQuestions.Answer) -> Void) {
        guard let subscription else { return complete(.failed("the worker is starting")) }
        subscription.askForMesh(complete)
    }

    func certificateArrived(_ response: CertificateResponse) {
        certificates?.received(response)
        sayReady()
    }

    func controllerLost(_ cause: String) {
        log.write(.warning, "controller lost (\(cause)); what is in force stays in force")
        controllerLostAt = controllerLostAt ?? WallClock.secondsSince1970
        certificates?.controllerLost(cause)
        reconnect?.stop()
        // The keeper does not answer while there is no controller, so it is asked until there is one.
        let retry = Ticker(loop: loop, interval: Self.controllerRetry) { [self] in
            guard !isConnectedToController else {
                reconnect?.stop()
                return
            }
            keeper.send(.requestControllerStream)
        }
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
        handOver?.changed()
    }

    func certificateExpired(_ absence: CertificateAbsence) {
        log.write(.error, absence.text(at: WallClock.secondsSince1970))
        telemetry.agentMetrics.certificateRemoved(for: absence.identity)
        for runner in runners { runner.remove(absence.identity, because: absence) }
    }

    func certificateGone(_ identity: SPIFFEID) {
        telemetry.agentMetrics.certificateRemoved(for: identity)
        for runner in runners { runner.remove(identity) }
        handOver?.changed()
    }

    func bundlesChanged(_ bundles: TrustBundles) {
        for runner in runners { runner.update(bundles) }
        handOver?.changed()
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
