internal import CertificateAuthority
internal import Controller
internal import Keeper
internal import Kernel
internal import Mesh
internal import Resources
internal import XDS

/// The mesh's controller: reads the manifests, tells agents what the mesh is and which of their pods to capture, signs
/// certificates, and gathers what the agents report. One event loop; what the network brings is posted to it.
///
///     directory ──> changes ──> publisher ──> this node's worker, and agents of other nodes
///                └> enrolments ──> this node's keeper, and agents of other nodes
///                └> identities of each node ──> may this be signed?
///
/// As the child of an agent it serves that node; `meshnode controller` is one without a node of its own.
final class ControllerProcess {
    let settings: ControllerSettings
    let loop: EventLoop
    let log: ProcessLog
    let publisher: MeshPublisher
    let authority: SigningAuthority
    let remoteNodes: RemoteNodes
    /// The node that it is a child on.
    let node: String?
    private(set) var nodeServer: NodeServer?
    /// Serves other nodes; nil if there are none.
    var network: NetworkServer?
    private var admin: AdminServer?
    private(set) var mesh = BuiltMesh()
    private var problems: [Resources.ManifestProblem] = []
    private(set) var report = ControllerReport()
    private(set) var updatedAt: ContinuousClock.Instant?
    private var updates: UInt64 = 0
    /// The pods that the keeper was told of; nil: of none yet.
    private var toldPods: [Controller.PodEnrolment]?
    var reports = ReportBook()

    /// How often the authority is looked at: it may have been renewed or rotated.
    private static let authorityInterval = Duration.seconds(1)

    /// - Parameter node: the node whose keeper started it; nil without one.
    /// Throws if the authority cannot be opened; its message says what to do.
    init(_ settings: ControllerSettings, node: String?, log: ProcessLog) throws {
        self.settings = settings
        self.node = node
        self.log = log
        loop = try EventLoop()
        publisher = MeshPublisher(log: log)
        authority = try SigningAuthority(settings)
        remoteNodes = RemoteNodes(log: log)
    }

    /// Serves the processes of the agent whose child it is, too. Called before `run`.
    func serveNode(keeper: consuming MessageSocket, listener: consuming Descriptor) throws {
        let server = NodeServer(
            keeper: keeper, listener: listener, loop: loop, publisher: publisher, log: log, delegate: self)
        try server.start()
        nodeServer = server
    }

    /// Answers those who ask about the whole mesh, on `listener`, a unix socket that listens.
    func serveAdmin(_ listener: consuming Descriptor) throws {
        let server = AdminServer()
        let process = LoopConfined(self)
        try server.serve(listener) { [loop] path, complete in
            loop.post { complete(.json(ControllerDesk.answer(path, process.value.deskState))) }
        }
        admin = server
    }

    /// Serves until the loop is stopped.
    func run() throws {
        guard let trustDomain = TrustDomain(settings.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(settings.trustDomain)' is not a trust domain")
        }
        let parameters = MeshParameters(
            trustDomain: trustDomain, rootNamespaces: settings.rootNamespaces,
            excludedNamespaces: Set(NeverEnrolled.namespaces + settings.rootNamespaces))
        let source = try DirectorySource(root: settings.source.manifestDirectory, parameters: parameters)
        let driver = DirectoryDriver(source, loop: loop) { [unowned self] in updated($0) }
        try driver.start()
        let authorityTicker = Ticker(loop: loop, interval: Self.authorityInterval) { [unowned self] in
            lookAtAuthority()
        }
        authorityTicker.start()
        try loop.run()
        authorityTicker.stop()
        driver.stop()
    }

    // MARK: The manifests

    private func updated(_ update: DirectoryUpdate) {
        defer { take(update.problems) }
        // A directory that is empty when the controller starts is more likely not mounted yet than meant: taken at its
        // word, every pod would be let out of the mesh, and every policy dropped.
        guard publisher.isComplete || update.fileCount > 0 else {
            return log.write(
                .warning, "no manifest in \(settings.source.manifestDirectory): agents keep what they have")
        }
        updates += 1
        updatedAt = loop.now
        mesh = update.mesh
        authority.identities = IdentitiesByNode(mesh)
        enrol()
        remoteNodes.enrol(mesh.enrolments)
        publisher.publish(update.changes)
        publisher.completed()
    }

    private func enrol() {
        guard let node else { return }
        let pods = mesh.enrolments[node] ?? []
        guard toldPods != pods else { return }
        toldPods = pods
        nodeServer?.enrol(pods.map(EnrolledPod.init))
    }

    private func take(_ new: [Resources.ManifestProblem]) {
        logNew(new)
        problems = new
        tellReport()
    }

    private func logNew(_ new: [Resources.ManifestProblem]) {
        let known = Set(problems)
        for problem in new where !known.contains(problem) {
            log.write(problem.severity == .error ? .error : .warning, problem.description)
        }
    }

    private func tellReport() {
        report = ControllerReport(
            snapshotVersion: String(updates), problems: problems.map(ControllerReport.Problem.init),
            authority: authority.certificates, trustBundlePEM: authority.running.trustBundlePEM,
            revokedSerials: authority.running.revokedSerials)
        nodeServer?.tell(report)
        remoteNodes.tell(report)
    }

    private func lookAtAuthority() {
        network?.tick()
        switch authority.refresh() {
        case .unchanged: break
        case .changed:
            log.write(.notice, "the certificate authority changed: every agent is told")
            network?.authorityChanged()
            tellReport()
        case .failed(let error): log.write(.error, "\(error); what was read before stays in force")
        }
    }

    // MARK: What agents ask

    /// Whether a pod of `node` that is being started is to be captured.
    func verdict(on question: PodQuestion, node: String) -> XDS.PodVerdict {
        guard publisher.isComplete else {
            return XDS.PodVerdict(
                id: question.id, outcome: .unknown(reason: "the controller has not read its manifests yet"))
        }
        let decision = mesh.decision(namespace: question.namespace, name: question.name, uid: question.uid)
        let outcome: XDS.PodVerdict.Outcome =
            switch decision {
            case .capture(let pod): .capture(EnrolledPod(pod))
            case .leave(let reason): .leave(reason: reason)
            case .unknown(let reason): .unknown(reason: reason)
            }
        return XDS.PodVerdict(id: question.id, outcome: outcome)
    }

    /// What the agents of all nodes have reported.
    func meshReport(id: UInt64) -> MeshReport {
        MeshReport(id: id, nodes: reports.nodes(at: loop.now), controllerJSON: ReportCoding.encode(facts))
    }
}

extension ControllerProcess: NodeServer.Delegate {
    func certificateRequested(_ request: CertificateRequest, answer: @escaping (CertificateResponse) -> Void) {
        answer(authority.answer(request, node: node ?? ""))
    }

    func podQuestioned(_ question: PodQuestion, answer: @escaping (XDS.PodVerdict) -> Void) {
        answer(verdict(on: question, node: node ?? ""))
    }

    func nodeReported(_ report: NodeReport) {
        guard let node else { return }
        reports.received(report, from: node, at: loop.now)
    }

    /// The worker beside the controller is a node of the mesh like those that have a session.
    func workerConnected(_ isConnected: Bool) {
        guard let node else { return }
        if isConnected { reports.nodeConnected(node) } else { reports.nodeDisconnected(node) }
    }

    func meshReportRequested(_ id: UInt64, answer: @escaping (MeshReport) -> Void) {
        answer(meshReport(id: id))
    }
}
