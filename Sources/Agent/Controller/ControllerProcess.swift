internal import CertificateAuthority
internal import Controller
internal import Keeper
internal import Kernel
internal import Mesh
internal import Resources
internal import Transport
internal import XDS

/// The embedded controller: reads the manifests, tells the keeper which pods to capture and the workers what the mesh
/// is, and signs certificates for pods of its node. One thread, one event loop.
///
///     directory ──> changes ──> delta server ──> workers
///                └> enrolments ──> keeper
///                └> identities on this node ──> may this be signed?
final class ControllerProcess: EventHandler {
    private let configuration: AgentConfiguration
    private let loop: EventLoop
    private let resources: LoopResources
    private let log: ProcessLog
    private let listener: Descriptor
    private let keeper: KeeperChannel<KeeperNothing, ControllerToKeeper>
    private let authority: SigningAuthority
    private var server = DeltaServer()
    private var workers: [UInt64: ChannelConnection] = [:]
    private var workerCount: UInt64 = 0
    private var enrolments = EnrolmentList()
    private var report = ControllerReport()
    private var isLoaded = false
    private var updates: UInt64 = 0

    /// Throws if the authority cannot be opened; its message says what to do.
    init(
        _ configuration: AgentConfiguration, keeper: consuming MessageSocket, listener: consuming Descriptor,
        log: ProcessLog
    ) throws {
        self.configuration = configuration
        self.log = log
        self.listener = listener
        loop = try EventLoop()
        resources = LoopResources(loop: loop)
        self.keeper = KeeperChannel(keeper, loop: loop)
        authority = try SigningAuthority(configuration)
    }

    /// Serves until the keeper is gone.
    func run() throws {
        guard let trustDomain = TrustDomain(configuration.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(configuration.trustDomain)' is not a trust domain")
        }
        try keeper.start { _, _ in
        } onEnd: { [self] cause in
            log.write(.notice, "controller ends: \(cause)")
            loop.stop()
        }
        _ = try loop.register(listener.raw, .level, handler: self)
        let parameters = MeshParameters(
            trustDomain: trustDomain, rootNamespaces: configuration.rootNamespaces,
            excludedNamespaces: Set(["kube-system", "meshnode-system"] + configuration.rootNamespaces))
        let source = try DirectorySource(root: configuration.manifestDirectory, parameters: parameters)
        let driver = DirectoryDriver(source, loop: loop) { [self] in updated($0) }
        try driver.start()
        let renewal = Ticker(loop: loop, interval: .seconds(3600)) { [self] in renewAuthority() }
        renewal.start()
        try loop.run()
        renewal.stop()
        driver.stop()
    }

    // MARK: The manifests

    private func updated(_ update: DirectoryUpdate) {
        updates += 1
        let pods = update.mesh.enrolments[configuration.node] ?? []
        authority.identitiesOnNode = Set(
            pods.compactMap { update.mesh.state.workloads[$0.workload]?.identity })
        tellKeeper(pods, update.mesh.state)
        let applied = server.applied(update.changes)
        for problem in applied.problems { log.write(.error, "cannot be told to workers: \(problem)") }
        send(applied.outgoing)
        if !isLoaded {
            isLoaded = true
            send(server.initialSetApplied())
        }
        tellProblems(update.problems)
    }

    private func tellKeeper(_ pods: [Controller.PodEnrolment], _ state: MeshState) {
        let strict = pods.map(\.workload).filter { state.refusesPlaintext($0) }
        let steps = enrolments.replace(with: pods, strict: Set(strict))
        for step in steps.messages { keeper.send(step) }
        for problem in steps.problems { log.write(.error, problem) }
    }

    private func tellProblems(_ problems: [Resources.ManifestProblem]) {
        let known = Set(report.problems)
        report = ControllerReport(
            snapshotVersion: String(updates), problems: problems.map(ControllerReport.Problem.init),
            authority: authority.certificates)
        for (problem, told) in zip(problems, report.problems) where !known.contains(told) {
            log.write(problem.severity == .error ? .error : .warning, problem.description)
        }
        for worker in workers.values { worker.send(.controllerReport(report)) }
    }

    private func renewAuthority() {
        do {
            try authority.reopen()
        } catch {
            log.write(.error, "\(error)")
        }
    }

    // MARK: The workers

    func ready(_ readiness: Readiness) {
        while true {
            switch UnixSocket.accept(listener) {
            case .accepted(let stream): serve(stream)
            case .wouldBlock: return
            case .failed: return
            }
        }
    }

    private func serve(_ stream: consuming Descriptor) {
        workerCount += 1
        let id = workerCount
        let channel = ChannelConnection(stream, resources: resources)
        workers[id] = channel
        server.connected(id)
        do {
            try channel.start { [self] in
                received($0, from: id)
            } onEnd: { [self] _ in
                gone(id)
            }
            channel.send(.controllerReport(report))
        } catch {
            log.write(.warning, "a worker's channel cannot be served: \(error)")
            gone(id)
        }
    }

    private func received(_ message: ChannelMessage, from id: UInt64) {
        switch message {
        case .discoveryRequest(let request):
            let received = server.received(request, from: id)
            if let refusal = received.refusal { log.write(.error, "a worker refused configuration: \(refusal)") }
            send(received.outgoing)
        case .certificateRequest(let request):
            workers[id]?.send(.certificateResponse(authority.answer(request)))
        case .discoveryResponse, .certificateResponse, .controllerReport:
            log.write(.warning, "a worker sent a message that only controllers send")
            workers[id]?.close()
            gone(id)
        }
    }

    private func send(_ outgoing: [DeltaServer.Outgoing]) {
        for item in outgoing { workers[item.client]?.send(.discoveryResponse(item.response)) }
    }

    private func gone(_ id: UInt64) {
        workers[id] = nil
        server.disconnected(id)
    }
}

/// The keeper says nothing to the controller: any message is a mistake.
enum KeeperNothing: KeeperMessage {
    var descriptorCount: Int { 0 }

    init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        throw KeeperError(.malformedMessage, "kind \(kind) from the keeper to the controller")
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {}
}

extension MeshState {
    /// STRICT holds for the whole workload, without exceptions by port.
    fileprivate func refusesPlaintext(_ uid: WorkloadUID) -> Bool {
        workloads[uid]?.policies.contains { name in
            guard let policy = policies[name], policy.origin == .peerAuthentication else { return false }
            return policy.rules.contains { rule in rule.clauses.allSatisfy { $0.kind == .from } }
        } ?? false
    }
}
