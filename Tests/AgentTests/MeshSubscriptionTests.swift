import Kernel
import Mesh
import Testing
import Transport
import XDS

@testable import Agent

/// A controller that holds back what the test does not let go.
final class FakeController {
    private var server = DeltaServer()
    private var channel: ChannelConnection?
    private var clients: UInt64 = 0
    private(set) var requests: [DeltaRequest] = []
    private(set) var certificateRequests: [CertificateRequest] = []
    private(set) var nodeReports: [NodeReport] = []
    private(set) var questions: [UInt64] = []
    /// Types whose responses are sent; the others wait.
    var released = Set(ResourceType.allCases.map(\.typeURL))
    private var held: [DeltaResponse] = []

    init(_ changes: [MeshChange]) {
        _ = server.applied(changes)
        _ = server.initialSetApplied()
    }

    func serve(_ stream: consuming Descriptor, _ resources: LoopResources) throws {
        let channel = ChannelConnection(stream, resources: resources)
        self.channel = channel
        clients += 1
        server.connected(clients)
        try channel.start { [unowned self] in
            received($0)
        } onEnd: { _ in
        }
    }

    private func received(_ message: ChannelMessage) {
        switch message {
        case .discoveryRequest(let request):
            requests.append(request)
            send(server.received(request, from: clients).outgoing)
        case .certificateRequest(let request): certificateRequests.append(request)
        case .nodeReport(let report): nodeReports.append(report)
        case .meshReportRequest(let id): questions.append(id)
        default: Issue.record("a worker sent \(message)")
        }
    }

    func apply(_ changes: [MeshChange]) { send(server.applied(changes).outgoing) }

    func send(_ message: ChannelMessage) { channel?.send(message) }

    func release(_ type: ResourceType) {
        released.insert(type.typeURL)
        let responses = held
        held = []
        send(responses)
    }

    private func send(_ outgoing: [DeltaServer.Outgoing]) { send(outgoing.map(\.response)) }

    private func send(_ responses: [DeltaResponse]) {
        for response in responses {
            if released.contains(response.typeURL) {
                channel?.send(.discoveryResponse(response))
            } else {
                held.append(response)
            }
        }
    }

    func close() {
        channel?.close()
        channel = nil
        server.disconnected(clients)
    }
}

/// Notes what the subscription tells.
private final class Listener: MeshSubscription.Delegate {
    var snapshots: [MeshSnapshot] = []
    var certificates: [CertificateResponse] = []
    var losses: [String] = []
    var rejections: [XDSError] = []
    var reports: [ControllerReport] = []
    var nodeReport: [UInt8]?

    func snapshotChanged(_ snapshot: MeshSnapshot) { snapshots.append(snapshot) }
    func certificateArrived(_ response: CertificateResponse) { certificates.append(response) }
    func controllerLost(_ cause: String) { losses.append(cause) }
    func resourcesRejected(_ errors: [XDSError]) { rejections += errors }
    func controllerReported(_ report: ControllerReport) { reports.append(report) }
    func makeNodeReport() -> [UInt8]? { nodeReport }
}

@Suite struct `A worker's view of the mesh` {
    private let loop: EventLoop
    private let resources: LoopResources
    private let listener = Listener()
    private let subscription: MeshSubscription
    private let controller = FakeController([
        .workloadUpserted(Samples.workload("a", "10.0.0.1")), .policyUpserted(Samples.policy("p", .deny)),
    ])

    init() throws {
        loop = try EventLoop()
        resources = LoopResources(loop: loop)
        subscription = MeshSubscription(
            nodeID: "meshnode~node-a", node: "node-a", resources: resources, delegate: listener)
    }

    private func connect(_ controller: FakeController) throws {
        let pair = try UnixSocket.makePair()
        try controller.serve(try pair.end(1), resources)
        subscription.connected(try pair.end(0))
    }

    @Test(arguments: ResourceType.allCases)
    func `is complete only when both kinds of resources have come`(late: ResourceType) throws {
        controller.released.remove(late.typeURL)
        try connect(controller)
        try run(
            loop,
            .when(
                "one kind", { controller.requests.count == ResourceType.allCases.count * 2 - 1 },
                {
                    #expect(!subscription.isComplete)
                    #expect(listener.snapshots.isEmpty, "a part of the mesh was put in force")
                    controller.release(late)
                }),
            .when("the other", { !listener.snapshots.isEmpty }))
        #expect(subscription.isComplete)
        #expect(listener.snapshots.count == 1)
        #expect(subscription.snapshot.workloadCount == 1)
        #expect(subscription.snapshot.policyCount == 1)
    }

    @Test func `is complete when the mesh is empty`() throws {
        let controller = FakeController([])
        try connect(controller)
        try run(loop, .when("completeness", { subscription.isComplete }))
        #expect(listener.snapshots.count == 1)
    }

    @Test func `follows changes`() throws {
        try connect(controller)
        try run(
            loop,
            .when(
                "the first set", { subscription.isComplete },
                { controller.apply([.workloadUpserted(Samples.workload("b", "10.0.0.2"))]) }),
            .when(
                "the second workload", { subscription.snapshot.workloadCount == 2 },
                { controller.apply([.workloadRemoved(Samples.uid("a"))]) }),
            .when("its removal", { subscription.snapshot.workloadCount == 1 }))
        #expect(subscription.snapshot.workload(Samples.uid("b")) != nil)
        #expect(Set(listener.snapshots.map(\.version)).count == listener.snapshots.count)
    }

    @Test func `keeps its state when the channel ends, and is brought up to date by the next`() throws {
        try connect(controller)
        try run(
            loop,
            .when("the first set", { subscription.isComplete }, { controller.close() }),
            .when(
                "the loss", { !listener.losses.isEmpty },
                {
                    #expect(!subscription.isConnected)
                    #expect(subscription.isComplete)
                    #expect(subscription.snapshot.workloadCount == 1)
                    controller.apply([
                        .workloadRemoved(Samples.uid("a")), .policyRemoved(Samples.policy("p", .deny).name),
                    ])
                    try connect(controller)
                }),
            .when("the removals", { subscription.snapshot.workloadCount + subscription.snapshot.policyCount == 0 }))
        // Closed in order, or reset where an acknowledgement was still unread.
        #expect(listener.losses.count == 1)
        #expect(subscription.isConnected)
    }

    @Test func `asks for certificates only while somebody is there`() throws {
        let request = CertificateRequest(id: 9, signingRequestPEM: "x", identity: Samples.web)
        #expect(!subscription.send(request))
        try connect(controller)
        #expect(subscription.send(request))
        let answer = CertificateResponse(id: 9, outcome: .refused("no"))
        try run(
            loop,
            .when(
                "the request", { controller.certificateRequests == [request] },
                { controller.send(.certificateResponse(answer)) }),
            .when("the answer", { listener.certificates == [answer] }))
    }

    @Test func `keeps the controller's last report`() throws {
        let report = ControllerReport(snapshotVersion: "7", problems: [], authority: [])
        try connect(controller)
        controller.send(.controllerReport(report))
        try run(loop, .when("the report", { subscription.report == report }))
    }

    @Test func `gives up on a controller that speaks like a worker`() throws {
        try connect(controller)
        controller.send(.certificateRequest(CertificateRequest(id: 1, signingRequestPEM: "", identity: Samples.web)))
        try run(loop, .when("the loss", { !listener.losses.isEmpty }))
        #expect(listener.losses.count == 1)
        #expect(!subscription.isConnected)
    }

    @Test func `tells what the controller says of roots and revocations at once`() throws {
        let report = ControllerReport(
            snapshotVersion: "7", problems: [], authority: [], trustBundlePEM: "roots", revokedSerials: ["ab"])
        try connect(controller)
        controller.send(.controllerReport(report))
        try run(loop, .when("the report", { listener.reports == [report] }))
    }

    @Test func `reports about its node as soon as it is connected`() throws {
        listener.nodeReport = [1, 2, 3]
        try connect(controller)
        try run(loop, .when("a report", { !controller.nodeReports.isEmpty }))
        #expect(controller.nodeReports.first?.json == [1, 2, 3] && controller.nodeReports.first?.node == "node-a")
    }

    @Test func `sends no report that is longer than controllers take`() throws {
        listener.nodeReport = [UInt8](repeating: 1, count: NodeReport.maximumLength + 1)
        try connect(controller)
        try run(loop, .when("the first set", { subscription.isComplete }))
        #expect(controller.nodeReports.isEmpty)
    }

    @Test func `asks for the whole mesh, and gives each answer to who asked`() throws {
        var answers: [String] = []
        func note(_ name: String) -> (MeshQuestions.Answer) -> Void {
            { answer in
                switch answer {
                case .answered(let report): answers.append("\(name) \(report.controllerJSON)")
                case .failed(let cause): answers.append("\(name) \(cause)")
                }
            }
        }
        subscription.askForMesh(note("early"))
        #expect(answers == ["early the controller cannot be reached"])
        try connect(controller)
        subscription.askForMesh(within: .seconds(60), note("a"))
        subscription.askForMesh(within: .seconds(60), note("b"))
        subscription.askForMesh(within: .milliseconds(30), note("c"))
        try run(
            loop,
            .when(
                "the questions", { controller.questions.count == 3 },
                {
                    controller.send(.meshReport(MeshReport(id: 999)))
                    controller.send(.meshReport(MeshReport(id: controller.questions[1], controllerJSON: [2])))
                    controller.send(.meshReport(MeshReport(id: controller.questions[1], controllerJSON: [3])))
                }),
            .when("the time limit", { answers.count == 3 }, { controller.close() }),
            .when("the loss", { answers.count == 4 }))
        #expect(answers[1] == "b [2]")
        #expect(answers[2].hasPrefix("c the controller did not answer within"))
        #expect(answers[3].hasPrefix("a the controller went away"))
    }

    @Test func `tells a flood of changes in few snapshots, the first at once and the last for sure`() throws {
        try connect(controller)
        var sent = 0
        let flood = Ticker(loop: loop, interval: .milliseconds(1)) {
            guard !listener.snapshots.isEmpty, sent < 200 else { return }
            sent += 1
            controller.apply([.workloadUpserted(Samples.workload("x", "10.1.0.\(sent)"))])
        }
        flood.start()
        let start = ContinuousClock.now
        let last = try #require(Samples.workload("x", "10.1.0.200").addresses.first)
        try run(
            loop,
            .when("the last", { listener.snapshots.last?.workload(Samples.uid("x"))?.addresses == [last] }))
        flood.stop()
        let windows = Int(start.duration(to: .now) / .milliseconds(20)) + 2
        #expect(listener.snapshots.count <= windows && listener.snapshots.count < 150)
        #expect(controller.requests.count > listener.snapshots.count, "there was no flood")
    }

    @Test func `goes on with what another knew, and asks only for what changed since`() throws {
        try connect(controller)
        try run(loop, .when("the first set", { subscription.isComplete }))
        let bytes = try #require(try subscription.savedMesh())

        let nextLoop = try EventLoop()
        let nextResources = LoopResources(loop: nextLoop)
        let nextListener = Listener()
        let next = MeshSubscription(nodeID: "meshnode~node-a", resources: nextResources, delegate: nextListener)
        try next.restore(bytes)
        #expect(next.isComplete && !next.isConnected)
        #expect(nextListener.snapshots.last?.workload(Samples.uid("a")) != nil)
        #expect(next.snapshot.policyCount == 1)

        // Meanwhile one came and the other went.
        let changed = FakeController([
            .workloadUpserted(Samples.workload("b", "10.0.0.2")), .policyUpserted(Samples.policy("p", .deny)),
        ])
        let pair = try UnixSocket.makePair()
        try changed.serve(try pair.end(1), nextResources)
        next.connected(try pair.end(0))
        try run(
            nextLoop,
            .when(
                "the changes", { next.snapshot.workload(Samples.uid("b")) != nil && next.snapshot.workloadCount == 1 }))
        #expect(changed.requests.contains { !$0.initialResourceVersions.isEmpty })
        #expect(next.snapshot.policyCount == 1)
    }

    @Test func `takes nothing from bytes that are no mesh, or only a part of one`() throws {
        try connect(controller)
        try run(loop, .when("the first set", { subscription.isComplete }))
        let bytes = try #require(try subscription.savedMesh())
        let next = MeshSubscription(nodeID: "meshnode~node-a", resources: resources, delegate: listener)
        for part in [[], Array(bytes.prefix(bytes.count / 2)), Array(bytes.dropFirst(3)), [1, 2, 3, 4, 5, 6]] {
            #expect(throws: AgentError.self) { try next.restore(part) }
            #expect(!next.isComplete && next.snapshot.workloadCount == 0)
        }
    }
}
