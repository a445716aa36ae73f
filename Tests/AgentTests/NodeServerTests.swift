import Keeper
import Kernel
import Mesh
import TestSupport
import Testing
import Transport
import XDS

@testable import Agent

/// Whoever knows the answers, played by the test.
private final class Answers: NodeServer.Delegate {
    var reports: [NodeReport] = []
    var questions: [XDS.PodQuestion] = []
    var outcome: XDS.PodVerdict.Outcome = .leave(reason: "no")
    var held: [() -> Void] = []
    var holds = false
    var workers = 0

    private func now(_ body: @escaping () -> Void) {
        if holds { held.append(body) } else { body() }
    }

    func certificateRequested(_ request: CertificateRequest, answer: @escaping (CertificateResponse) -> Void) {
        now { answer(CertificateResponse(id: request.id, outcome: .refused("not today"))) }
    }

    func podQuestioned(_ question: XDS.PodQuestion, answer: @escaping (XDS.PodVerdict) -> Void) {
        questions.append(question)
        let outcome = outcome
        now { answer(XDS.PodVerdict(id: question.id, outcome: outcome)) }
    }

    func nodeReported(_ report: NodeReport) { reports.append(report) }

    func workerConnected(_ isConnected: Bool) { workers += isConnected ? 1 : -1 }

    func meshReportRequested(_ id: UInt64, answer: @escaping (MeshReport) -> Void) {
        now { answer(MeshReport(id: id, controllerJSON: [1])) }
    }
}

@Suite struct `A node's server` {
    private let directory: TemporaryDirectory
    private let path: String
    private let loop: EventLoop
    private let resources: LoopResources
    private let publisher: MeshPublisher
    private let keeper: PlayedKeeper
    private let answers = Answers()
    private let server: NodeServer

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path + "/controller.sock"
        loop = try EventLoop()
        resources = LoopResources(loop: loop)
        let log = ProcessLog("test", .text, .error)
        publisher = MeshPublisher(log: log)
        let pair = try MessageSocket.makePair()
        keeper = PlayedKeeper(try pair.end(1))
        server = NodeServer(
            keeper: MessageSocket(try pair.end(0)), listener: try UnixSocket.listen(path, mode: 0o600), loop: loop,
            publisher: publisher, log: log, delegate: answers)
        try server.start()
    }

    private static func change(_ name: String, _ address: String) -> MeshChange {
        .workloadUpserted(Samples.workload(name, address))
    }

    @Test func `holds a worker back that comes before the first set, whatever it knows already`() throws {
        let worker = try PlayedWorker(path, resources)
        var successor: PlayedWorker?
        publisher.publish([Self.change("web", "10.0.0.1")])
        try run(
            loop,
            .when("its report", { !worker.reports.isEmpty }), .fewTurns(),
            .when(
                "a moment", { true },
                {
                    #expect(worker.changes.isEmpty && !worker.isComplete)
                    publisher.completed()
                }),
            .when(
                "the first set", { worker.isComplete },
                { successor = try PlayedWorker(path, resources, savedState: worker.savedState()) }),
            .when("the report to its successor", { successor?.reports.isEmpty == false }), .fewTurns())
        #expect(worker.has("web"))
        // One that goes on from there is told of nothing that it knows, and not that anything is gone.
        #expect(successor?.changes == [] && successor?.has("web") == true)
    }

    @Test func `says nothing of pods to the keeper before it knows them, and then whether they are all`() throws {
        let keeper = keeper
        let pod = Samples.pod("web", "10.0.0.1")
        try run(
            loop, .fewTurns(),
            .when(
                "a moment", { true },
                {
                    keeper.look()
                    #expect(keeper.told.isEmpty)
                    server.enrol([pod])
                }),
            .when("both messages", { keeper.wanted.count == 1 && keeper.told.count == 2 }))
        #expect(keeper.told == [.podWanted(PodWish(pod)), .podsComplete])
    }

    @Test func `brings the keeper's questions to whoever knows, and the answers back under their numbers`() throws {
        let (keeper, answers) = (keeper, answers)
        var pod = Samples.pod("web", "10.0.0.1")
        pod.addresses = []
        answers.outcome = .capture(pod)
        try keeper.send(.podQuestion(id: 9, namespace: "shop", name: "web", uid: "u"))
        try run(loop, .when("the verdict", { keeper.verdicts.count == 1 }))
        #expect(keeper.verdicts == [Keeper.PodVerdict(id: 9, outcome: .capture(PodWish(pod)))])
        #expect(answers.questions == [XDS.PodQuestion(id: 9, namespace: "shop", name: "web", uid: "u")])
    }

    @Test func `does not break with the keeper over a pod that no message can describe`() throws {
        let (keeper, answers) = (keeper, answers)
        answers.outcome = .capture(Samples.pod("web", "10.0.0.1", excluding: Array(1...65)))
        try keeper.send(.podQuestion(id: 1, namespace: "shop", name: "web", uid: ""))
        try run(
            loop,
            .when(
                "the verdict", { keeper.verdicts.count == 1 },
                {
                    // It goes on, and a reason without end is cut.
                    answers.outcome = .leave(reason: String(repeating: "\u{00e4}", count: 100_000))
                    try keeper.send(.podQuestion(id: 2, namespace: "shop", name: "web", uid: ""))
                }),
            .when("the next verdict", { keeper.verdicts.count == 2 }))
        guard case .unknown(let reason) = keeper.verdicts.first?.outcome else {
            Issue.record("it is \(keeper.verdicts)")
            return
        }
        #expect(reason.hasPrefix("the pod cannot be captured as written"))
        #expect(!keeper.isLeft)
    }

    @Test func `gives a worker its answers, and drops those of one that is gone`() throws {
        let answers = answers
        let identity = Samples.web
        let worker = try PlayedWorker(path, resources)
        var next: PlayedWorker?
        worker.send(.certificateRequest(CertificateRequest(id: 4, signingRequestPEM: "", identity: identity)))
        worker.send(.meshReportRequest(id: 5))
        worker.send(.nodeReport(NodeReport(node: "n", takenAt: 1, json: [2])))
        try run(
            loop,
            .when(
                "three things", { worker.certificates.count + worker.meshReports.count + answers.reports.count == 3 },
                {
                    answers.holds = true
                    worker.send(.meshReportRequest(id: 6))
                }),
            .when("the question", { answers.held.count == 1 }, { worker.close() }), .fewTurns(),
            .when(
                "a moment", { true },
                {
                    for answer in answers.held { answer() }
                    next = try PlayedWorker(path, resources)
                }),
            .when("the report to the next", { next?.reports.isEmpty == false }), .fewTurns())
        #expect(worker.certificates == [CertificateResponse(id: 4, outcome: .refused("not today"))])
        #expect(worker.meshReports == [MeshReport(id: 5, controllerJSON: [1])])
        #expect(next?.meshReports == [])
    }

    @Test func `ends with a worker that says what only controllers say, and serves the next`() throws {
        let worker = try PlayedWorker(path, resources)
        var next: PlayedWorker?
        worker.send(.podWishes(NodeWishes(pods: [Samples.pod("web", "10.0.0.1")])))
        try run(
            loop,
            .when(
                "its end", { worker.end != nil },
                {
                    publisher.completed()
                    next = try PlayedWorker(path, resources)
                }),
            .when("the first set of the next", { next?.isComplete == true }))
        #expect(answers.workers == 1)
        keeper.look()
        #expect(keeper.told.isEmpty)
    }

    @Test func `tells each worker what was told last, the ones that come later, too`() throws {
        let first = try PlayedWorker(path, resources)
        var second: PlayedWorker?
        try run(
            loop,
            .when(
                "the first report", { first.reports.count == 1 },
                {
                    server.tell(ControllerReport(snapshotVersion: "2", linkTrouble: "no way"))
                    second = try PlayedWorker(path, resources)
                }),
            .when("both reports", { first.reports.count == 2 && second?.reports.count == 1 }))
        #expect(first.reports.last == second?.reports.last)
        #expect(first.reports.last?.linkTrouble == "no way")
    }

    @Test func `ends with its keeper`() throws {
        keeper.close()
        // The loop ends by itself.
        try loop.run()
    }
}
