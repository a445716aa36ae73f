internal import Keeper
internal import Kernel
internal import Mesh
internal import Transport
internal import XDS

/// What the processes of one node get from their controller, or from the subscriber that stands for one elsewhere:
/// the keeper hears which pods to capture, workers what the mesh is. Confined to one loop.
///
///     pods ──> keeper          changes ──> publisher ──> workers
///     questions of the keeper, requests and reports of workers ──> delegate
final class NodeServer: EventHandler {
    /// Who knows the answers. Each `answer` is called once, on the loop, or not at all.
    protocol Delegate: AnyObject {
        func certificateRequested(_ request: CertificateRequest, answer: @escaping (CertificateResponse) -> Void)
        func podQuestioned(_ question: PodQuestion, answer: @escaping (XDS.PodVerdict) -> Void)
        func nodeReported(_ report: NodeReport)
        /// A worker of the node opened its channel, or closed it.
        func workerConnected(_ isConnected: Bool)
        func meshReportRequested(_ id: UInt64, answer: @escaping (MeshReport) -> Void)
    }

    private let loop: EventLoop
    private let resources: LoopResources
    private let listener: Descriptor
    private let keeper: KeeperChannel<KeeperToController, ControllerToKeeper>
    private let publisher: MeshPublisher
    private let log: ProcessLog
    private unowned let delegate: any Delegate
    private var workers: [MeshPublisher.Client: ChannelConnection] = [:]
    private var enrolments = EnrolmentList()
    private var report = ControllerReport()

    init(
        keeper: consuming MessageSocket, listener: consuming Descriptor, loop: EventLoop, publisher: MeshPublisher,
        log: ProcessLog, delegate: any Delegate
    ) {
        self.loop = loop
        self.listener = listener
        self.publisher = publisher
        self.log = log
        self.delegate = delegate
        resources = LoopResources(loop: loop)
        self.keeper = KeeperChannel(keeper, loop: loop)
    }

    /// Begins to serve. The loop is stopped when the keeper is gone: its children go with it.
    func start() throws {
        try keeper.start { [unowned self] message, _ in
            received(message)
        } onEnd: { [loop, log] cause in
            log.write(.notice, "ends: \(cause)")
            loop.stop()
        }
        _ = try loop.register(listener.raw, .level, handler: self)
    }

    // MARK: To the keeper and the workers

    /// From now on these pods of the node are to be captured, and no others.
    func enrol(_ pods: [EnrolledPod]) {
        let steps = enrolments.replace(with: pods)
        for step in steps.messages { keeper.send(step) }
        for problem in steps.problems { log.write(.error, problem) }
    }

    /// Tells the workers what the controller says of its input and its authority.
    func tell(_ report: ControllerReport) {
        self.report = report
        for worker in workers.values { worker.send(.controllerReport(report)) }
    }

    // MARK: From the keeper

    private func received(_ message: KeeperToController) {
        switch message {
        case .podQuestion(let id, let namespace, let name, let uid):
            let question = PodQuestion(id: id, namespace: namespace, name: name, uid: uid)
            delegate.podQuestioned(question) { [keeper] verdict in
                keeper.send(.podVerdict(.sendable(Keeper.PodVerdict(id: id, outcome: .init(verdict.outcome)))))
            }
        }
    }

    // MARK: From the workers

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
        let channel = ChannelConnection(stream, resources: resources)
        let id = publisher.connected { channel.send(.discoveryResponse($0)) }
        workers[id] = channel
        delegate.workerConnected(true)
        do {
            try channel.start { [unowned self] in
                received($0, from: id)
            } onEnd: { [unowned self] _ in
                gone(id)
            }
            channel.send(.controllerReport(report))
        } catch {
            log.write(.warning, "a worker's channel cannot be served: \(error)")
            gone(id)
        }
    }

    private func received(_ message: ChannelMessage, from id: MeshPublisher.Client) {
        switch message {
        case .discoveryRequest(let request): publisher.received(request, from: id, name: "this node's worker")
        case .certificateRequest(let request):
            delegate.certificateRequested(request) { [unowned self] in workers[id]?.send(.certificateResponse($0)) }
        case .nodeReport(let report): delegate.nodeReported(report)
        case .meshReportRequest(let request):
            delegate.meshReportRequested(request) { [unowned self] in workers[id]?.send(.meshReport($0)) }
        case .discoveryResponse, .certificateResponse, .controllerReport, .meshReport, .podWishes, .podQuestion,
            .podVerdict:
            log.write(.warning, "a worker sent a message that only controllers send")
            workers[id]?.close()
            gone(id)
        }
    }

    private func gone(_ id: MeshPublisher.Client) {
        guard workers.removeValue(forKey: id) != nil else { return }
        publisher.disconnected(id)
        delegate.workerConnected(false)
    }
}

extension Keeper.PodVerdict {
    /// The verdict, or that there is none, if it is over a limit of the message: one that cannot be sent would end the
    /// channel, and what a pod says of itself must not. The pod does not start then.
    fileprivate static func sendable(_ verdict: Self) -> Self {
        do throws(KeeperError) {
            _ = try ControllerToKeeper.podVerdict(verdict).encoded()
            return verdict
        } catch {
            let reason = "the pod cannot be captured as written: \(error)"
            return Self(id: verdict.id, outcome: .unknown(reason: reason.fitting))
        }
    }
}

extension Keeper.PodVerdict.Outcome {
    fileprivate init(_ outcome: XDS.PodVerdict.Outcome) {
        self =
            switch outcome {
            case .capture(let pod): .capture(PodWish(pod))
            case .leave(let reason): .leave(reason: reason.fitting)
            case .unknown(let reason): .unknown(reason: reason.fitting)
            }
    }
}

extension String {
    /// As much of it as a message to the keeper may hold: whole characters.
    fileprivate var fitting: String {
        var text = prefix(MessageLimits.detail)
        while text.utf8.count > MessageLimits.detail { text.removeLast() }
        return String(text)
    }
}
