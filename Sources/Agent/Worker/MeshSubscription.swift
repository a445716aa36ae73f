internal import Kernel
internal import Mesh
internal import Transport
internal import XDS

/// The worker's view of the mesh: what the controller told, kept when the controller is gone, brought up to date when it
/// is back.
///
///     no channel ──stream came──> subscribed ──channel ends──> no channel (the state stays in force)
final class MeshSubscription {
    /// Told what the subscription brings; on the control loop.
    protocol Delegate: AnyObject {
        /// The state changed, or is complete for the first time. Several changes may be told as one.
        func snapshotChanged(_ snapshot: MeshSnapshot)
        func certificateArrived(_ response: CertificateResponse)
        /// What the controller says of itself, and whom to trust.
        func controllerReported(_ report: ControllerReport)
        /// Requests under way are lost; ask the keeper for another stream.
        func controllerLost(_ cause: String)
        /// Resources that could not be understood; the state before them stays in force.
        func resourcesRejected(_ errors: [XDSError])
        /// What this node has to say about itself, as JSON; nil for nothing. Asked every few seconds.
        func makeNodeReport() -> [UInt8]?
    }

    private let nodeID: String
    private let node: String
    private let resources: LoopResources
    private var client: DeltaClient
    private var saved = SavedMesh()
    private var channel: ChannelConnection?
    private(set) var snapshot = MeshSnapshot()
    private(set) var report: ControllerReport?
    /// Whether this worker has heard the mesh's controller at all.
    private(set) var hasReachedController = false
    private(set) var changedAt: ContinuousClock.Instant?
    unowned let delegate: any Delegate
    private let publication: Publication
    private var reporting: Ticker?
    private let questions = MeshQuestions()

    /// How often the node reports about itself.
    private static let reportInterval = Duration.seconds(3)

    /// - Parameters:
    ///   - node: the node's name.
    ///   - publicationInterval: the loops get a new snapshot no more often than this.
    init(
        nodeID: String, node: String = "", resources: LoopResources, delegate: any Delegate,
        publicationInterval: Duration = .milliseconds(20)
    ) {
        client = DeltaClient(nodeID: nodeID)
        self.nodeID = nodeID
        self.node = node
        self.resources = resources
        self.delegate = delegate
        publication = Publication(loop: resources.loop, interval: publicationInterval)
        publication.publish = { [unowned self] in self.delegate.snapshotChanged(snapshot) }
    }

    /// Ends the timers.
    func stop() {
        reporting?.stop()
        publication.stop()
    }

    var isConnected: Bool { channel != nil }

    /// The first full set of every type has come.
    var isComplete: Bool { client.isComplete }

    // MARK: The channel

    /// A stream to the controller.
    func connected(_ stream: consuming Descriptor) {
        channel?.close()
        let channel = ChannelConnection(stream, resources: resources)
        self.channel = channel
        do {
            try channel.start { [unowned self] in
                received($0)
            } onEnd: { [unowned self] in
                lost($0)
            }
        } catch {
            return lost("\(error)")
        }
        for request in client.connected() { channel.send(.discoveryRequest(request)) }
        reporting?.stop()
        reporting = Ticker(loop: resources.loop, interval: Self.reportInterval) { [unowned self] in sendReport() }
        reporting?.start()
        sendReport()
    }

    /// Asks for a certificate; false if there is nobody to ask.
    func send(_ request: CertificateRequest) -> Bool {
        guard let channel else { return false }
        channel.send(.certificateRequest(request))
        return true
    }

    private func received(_ message: ChannelMessage) {
        switch message {
        case .discoveryResponse(let response): apply(response)
        case .certificateResponse(let response): delegate.certificateArrived(response)
        case .controllerReport(let report):
            let isFirst = self.report == nil
            self.report = report
            if report.linkTrouble.isEmpty { hasReachedController = true }
            delegate.controllerReported(report)
            if isFirst { sendReport() }
        case .meshReport(let report): questions.answered(report)
        case .discoveryRequest, .certificateRequest, .nodeReport, .meshReportRequest, .podQuestion:
            lost("the controller sent a message that only workers send")
        case .podWishes, .podVerdict: lost("the controller sent a message that is not for workers")
        }
    }

    private func lost(_ cause: String) {
        channel?.close()
        channel = nil
        reporting?.stop()
        reporting = nil
        questions.failed("the controller went away: \(cause)")
        delegate.controllerLost(cause)
    }

    // MARK: The mesh

    private func apply(_ response: DeltaResponse) {
        let wasComplete = isComplete
        let update = client.received(response)
        channel?.send(.discoveryRequest(update.reply))
        saved.received(response)
        if !update.rejections.isEmpty { delegate.resourcesRejected(update.rejections) }
        guard !update.changes.isEmpty || isComplete != wasComplete else { return }
        changed(update.changes)
    }

    private func changed(_ changes: [MeshChange]) {
        snapshot.apply(contentsOf: changes)
        snapshot.version &+= 1
        changedAt = resources.loop.now
        if isComplete { publication.changed() }
    }

    /// What is known, for a successor; nil while it is not complete. Throws `unusableState` if it is too much.
    func savedMesh() throws(AgentError) -> [UInt8]? {
        isComplete ? try saved.encoded() : nil
    }

    /// Goes on with what a predecessor knew: in force at once, brought up to date by the controller later. Before the
    /// first stream. Throws `unusableState`; nothing is changed then.
    func restore(_ bytes: [UInt8]) throws(AgentError) {
        var restored = DeltaClient(nodeID: nodeID)
        var changes: [MeshChange] = []
        saved = try SavedMesh(restoring: bytes, into: &restored, changes: &changes)
        client = restored
        changed(changes)
    }

    // MARK: Reports

    /// Tells the controller of this node now, beside the reports that it gets every few seconds.
    func sendReport() {
        guard let channel, let json = delegate.makeNodeReport(), json.count <= NodeReport.maximumLength else { return }
        channel.send(.nodeReport(NodeReport(node: node, takenAt: WallClock.secondsSince1970, json: json)))
    }

    /// Asks the controller for the reports of all nodes. `complete` is called once, on the control loop; the failure
    /// says why there is no answer.
    func askForMesh(within limit: Duration = .seconds(2), _ complete: @escaping (MeshQuestions.Answer) -> Void) {
        guard let channel else { return complete(.failed("the controller cannot be reached")) }
        let id = questions.asked(complete)
        let timer = Ticker(loop: resources.loop, interval: limit) { [weak self] in
            self?.questions.timedOut(id, after: limit)
        }
        questions.keep(timer, for: id)
        timer.start()
        channel.send(.meshReportRequest(id: id))
    }
}

/// Tells of changes at once, but never more often than once in an interval: two thousand changes a second must not
/// become two thousand snapshots for each loop.
private final class Publication: TimerHandler {
    private let loop: EventLoop
    private let interval: Duration
    private var last: ContinuousClock.Instant?
    private var timer: TimerID?
    var publish: () -> Void = {}

    init(loop: EventLoop, interval: Duration) {
        self.loop = loop
        self.interval = interval
    }

    func changed() {
        guard timer == nil else { return }
        let due = last.map { $0 + interval } ?? loop.now
        guard due > loop.now else { return fire() }
        timer = loop.schedule(at: due, self)
    }

    func timerFired(at now: ContinuousClock.Instant) {
        timer = nil
        fire()
    }

    func stop() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func fire() {
        last = loop.now
        publish()
    }
}
