internal import ControlPlane
internal import Keeper
internal import Kernel
internal import Mesh
internal import NIOHTTP1
internal import XDS

/// The controller's place on a node whose controller is elsewhere: brings from there what the mesh is and which pods of
/// this node to capture, and passes on what is asked. One event loop; what the network brings is posted to it.
///
///     the mesh's controller ── gRPC ──> link ──> changes ──> publisher ──> this node's worker
///                                            └─> pods ──> this node's keeper
///
/// What is known outlives the connection: the node goes on with it while the controller is away.
final class SubscriberProcess {
    private let configuration: AgentConfiguration
    private let loop: EventLoop
    private let log: ProcessLog
    private let publisher: MeshPublisher
    private var nodeServer: NodeServer?
    private var admin: AdminServer?
    private var mesh: DeltaClient
    private let link: ControllerLink
    private var report = ControllerReport()
    private var questions = PendingQuestions()
    private var certificates = WaitingRequests()
    private var isConnected = false
    /// Why there is no connection; nil if there is one, or will be in a moment.
    private var trouble: String? = "not connected yet"

    init(_ configuration: AgentConfiguration, _ remote: AgentConfiguration.RemoteController, log: ProcessLog) throws {
        guard let trustDomain = TrustDomain(configuration.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(configuration.trustDomain)' is not a trust domain")
        }
        self.configuration = configuration
        self.log = log
        loop = try EventLoop()
        publisher = MeshPublisher(log: log)
        mesh = DeltaClient(nodeID: "meshnode~\(configuration.node)")
        link = ControllerLink(remote, node: configuration.node, trustDomain: trustDomain)
    }

    /// Serves, as the child of a keeper, until that is gone.
    func runInherited() throws {
        // There is no network to listen on: the descriptor is /dev/null.
        _ = Descriptor(owning: InheritedDescriptor.Controller.networkListener)
        try run(
            keeper: MessageSocket(Descriptor(owning: InheritedDescriptor.Controller.keeper)),
            listener: Descriptor(owning: InheritedDescriptor.Controller.listener),
            adminListener: Descriptor(owning: InheritedDescriptor.Controller.adminListener))
    }

    /// Serves until the keeper is gone.
    /// - Parameters:
    ///   - listener: where workers come, a unix socket that listens.
    ///   - adminListener: where those come who ask about the whole mesh, a unix socket that listens.
    func run(
        keeper: consuming MessageSocket, listener: consuming Descriptor, adminListener: consuming Descriptor
    ) throws {
        let server = NodeServer(
            keeper: keeper, listener: listener, loop: loop, publisher: publisher, log: log, delegate: self)
        try server.start()
        nodeServer = server
        try serveAdmin(adminListener)
        tellReport()
        let ticker = Ticker(loop: loop, interval: .seconds(1)) { [unowned self] in
            certificates.advance(to: loop.now, trouble: trouble ?? "")
        }
        ticker.start()
        let subscriber = LoopConfined(self)
        link.start { [loop] event in loop.post { subscriber.value.happened(event) } }
        try loop.run()
        ticker.stop()
        link.stop()
    }

    // MARK: From the mesh's controller

    private func happened(_ event: ControllerLink.Event) {
        switch event {
        case .connected:
            log.write(.info, "connected to the controller")
            isConnected = true
            trouble = nil
            for waiting in certificates.connected() { request(waiting.request, answer: waiting.answer) }
            for request in mesh.connected() { link.send(.discoveryRequest(request)) }
            tellReport()
        case .received(let message): received(message)
        case .reconnecting: lost("the connection is made anew")
        case .disconnected(let cause):
            if trouble != cause { log.write(.warning, "no controller: \(cause); what is in force stays in force") }
            lost(cause)
            guard trouble != cause else { return }
            trouble = cause
            tellReport()
        case .problem(let text): log.write(.error, text)
        }
    }

    private func lost(_ cause: String) {
        isConnected = false
        questions.controllerLost(cause)
    }

    private func received(_ message: ChannelMessage) {
        switch message {
        case .discoveryResponse(let response): apply(response)
        case .podWishes(let wishes): nodeServer?.enrol(wishes.pods)
        case .controllerReport(let report):
            link.authorityReported(
                bundlePEM: report.trustBundlePEM, revokedSerials: report.revokedSerials,
                issuerSerial: report.authority.first { $0.role == .issuer }?.serial)
            self.report = report
            tellReport()
        case .podVerdict(let verdict): questions.answered(verdict)
        case .meshReport(let report): questions.answered(report)
        case .discoveryRequest, .certificateRequest, .certificateResponse, .nodeReport, .meshReportRequest,
            .podQuestion:
            log.write(.warning, "the controller sent a message that only nodes send")
        }
    }

    private func apply(_ response: DeltaResponse) {
        let update = mesh.received(response)
        link.send(.discoveryRequest(update.reply))
        for error in update.rejections { log.write(.error, "configuration refused: \(error)") }
        publisher.publish(update.changes)
        if mesh.isComplete { publisher.completed() }
    }

    /// Tells the workers what the controller said last, and whether it can be reached.
    private func tellReport() {
        var report = report
        report.linkTrouble = trouble ?? ""
        nodeServer?.tell(report)
    }

    // MARK: Those who ask about the whole mesh

    private func serveAdmin(_ listener: consuming Descriptor) throws {
        let server = AdminServer()
        let subscriber = LoopConfined(self)
        try server.serve(listener) { [loop] path, complete in
            loop.post { subscriber.value.answer(path, complete) }
        }
        admin = server
    }

    private func answer(_ path: String, _ complete: @escaping @Sendable (AdminResponse) -> Void) {
        meshReportRequested(0) { [configuration, trouble] report in
            guard case .answered(let accounts, let facts?) = MeshAnswer(report) else {
                let outlook = MeshOutlook(
                    time: Timestamp(secondsSince1970: WallClock.secondsSince1970), answeredBy: configuration.node,
                    trustDomain: configuration.trustDomain, accounts: [], controller: nil,
                    controllerFailure: trouble ?? "the controller's answer cannot be read")
                return complete(.json(ControllerDesk.answer(path, withoutController: outlook)))
            }
            complete(
                .json(
                    ControllerDesk.answer(
                        path, .init(facts: facts, accounts: accounts, node: configuration.node))))
        }
    }
}

extension SubscriberProcess: NodeServer.Delegate {
    func certificateRequested(_ request: CertificateRequest, answer: @escaping (CertificateResponse) -> Void) {
        guard isConnected else { return certificates.asked(request, at: loop.now, answer) }
        self.request(request, answer: answer)
    }

    private func request(_ request: CertificateRequest, answer: @escaping (CertificateResponse) -> Void) {
        let answer = LoopConfined(answer)
        link.request(request) { [loop] response in loop.post { answer.value(response) } }
    }

    func podQuestioned(_ question: PodQuestion, answer: @escaping (XDS.PodVerdict) -> Void) {
        guard isConnected else {
            let reason = "the controller cannot be reached: \(trouble ?? "the connection is made anew")"
            return answer(XDS.PodVerdict(id: question.id, outcome: .unknown(reason: reason)))
        }
        link.send(.podQuestion(questions.asked(question, answer)))
    }

    func nodeReported(_ report: NodeReport) {
        guard isConnected else { return }
        link.send(.nodeReport(report))
    }

    /// The controller sees by the reports whether a worker is there.
    func workerConnected(_: Bool) {}

    func meshReportRequested(_ id: UInt64, answer: @escaping (MeshReport) -> Void) {
        guard isConnected else { return answer(MeshReport(id: id)) }
        link.send(.meshReportRequest(id: questions.asked(meshReport: id, answer)))
    }
}
