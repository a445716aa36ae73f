import Foundation
import Kernel
import Mesh
import TLS
import TestSupport
import Testing
import Transport
import XDS

@testable import Agent

/// Controller, subscriber, keeper and worker of a node, connected as they are in a mesh. Only time and the network's way
/// are real; so each waits for what must come.
@Suite(.serialized, .timeLimit(.minutes(2))) struct `A node whose controller is elsewhere` {
    private let mesh: PlayedMesh
    private let loop: EventLoop
    private let resources: LoopResources

    init() throws {
        mesh = try PlayedMesh()
        loop = try EventLoop()
        resources = LoopResources(loop: loop)
        try mesh.putNamespace()
        try mesh.putPod("web", "10.0.0.1", uid: "0b2c5cb4-4f8a-4e0e-9b4b-1d9f3c2a7e55")
    }

    @Test func `joins, and has the mesh, its pods, certificates, verdicts and reports; and what changes`()
        async throws
    {
        try await onThread {
            defer { mesh.stopController() }
            try mesh.startController()
            let subscriber = try PlayedSubscriber(mesh, token: try mesh.makeToken())
            defer { subscriber.stop() }
            let keeper = subscriber.keeper
            let worker = try PlayedWorker(subscriber.path, resources)
            let key = try PrivateKey.generate()
            let request = try PEM.encode(
                label: "CERTIFICATE REQUEST", der: makeCSR(key: key, uriSAN: Samples.web.description))
            try run(
                loop,
                .when("the mesh", { worker.isComplete && worker.has("web") }),
                .when(
                    "the pods", { keeper.wanted == ["web"] && keeper.told.last == .podsComplete },
                    {
                        try keeper.send(.podQuestion(id: 1, namespace: "shop", name: "web", uid: ""))
                        worker.send(
                            .certificateRequest(
                                CertificateRequest(id: 2, signingRequestPEM: request, identity: Samples.web)))
                        worker.send(
                            .certificateRequest(
                                CertificateRequest(id: 3, signingRequestPEM: request, identity: Samples.api)))
                        worker.send(.nodeReport(NodeReport(node: "", takenAt: 5, json: Array("{}".utf8))))
                    }),
                .when("the verdict", { keeper.verdicts.count == 1 }),
                .when(
                    "both certificates", { worker.certificates.count == 2 }, { worker.send(.meshReportRequest(id: 4)) }),
                .when(
                    "the reports", { worker.meshReports.count == 1 },
                    { try mesh.putPod("new", "10.0.0.2") }),
                .when("the new pod", { worker.has("new") && keeper.wanted == ["web", "new"] }))
            guard case .podWanted(let wish) = keeper.told.first, case .capture = keeper.verdicts[0].outcome else {
                Issue.record("the keeper heard \(keeper.told)")
                return
            }
            #expect(wish.podUID == "0b2c5cb4-4f8a-4e0e-9b4b-1d9f3c2a7e55")
            let answers = Dictionary(uniqueKeysWithValues: worker.certificates.map { ($0.id, $0.outcome) })
            guard case .issued = answers[2], case .refused = answers[3] else {
                Issue.record("certificates: \(answers)")
                return
            }
            #expect(worker.meshReports[0].id == 4)
            #expect(worker.meshReports[0].nodes.map(\.report.node) == [PlayedMesh.node])
            #expect(worker.meshReports[0].nodes.first?.isConnected == true)
            #expect(worker.reports.last?.linkTrouble == "" && worker.reports.last?.trustBundlePEM.isEmpty == false)
        }
    }

    @Test func `goes on with what it knows while the controller is away, and hears only of the difference then`()
        async throws
    {
        try await onThread {
            defer { mesh.stopController() }
            try mesh.startController()
            let subscriber = try PlayedSubscriber(mesh, token: try mesh.makeToken())
            defer { subscriber.stop() }
            let keeper = subscriber.keeper
            let worker = try PlayedWorker(subscriber.path, resources)
            var heard = 0
            var another: PlayedWorker?
            try run(
                loop,
                .when(
                    "the mesh", { worker.has("web") && keeper.wanted == ["web"] && keeper.told.last == .podsComplete },
                    { mesh.stopController() }),
                .when(
                    "that the controller is away", { worker.reports.last?.linkTrouble.isEmpty == false },
                    {
                        heard = worker.changes.count
                        try keeper.send(.podQuestion(id: 1, namespace: "shop", name: "web", uid: ""))
                        try mesh.putPod("new", "10.0.0.2")
                        // A worker that comes now is served of what is known.
                        another = try PlayedWorker(subscriber.path, resources)
                    }),
                .when("that nobody knows", { keeper.verdicts.count == 1 }),
                .when(
                    "the mesh, without a controller", { another?.has("web") == true },
                    {
                        #expect(worker.has("web") && worker.changes.count == heard)
                        try mesh.startController()
                    }),
                .when("the new pod", { worker.has("new") && keeper.wanted.last == "new" }),
                .when("that all is well", { worker.reports.last?.linkTrouble == "" }))
            guard case .unknown = keeper.verdicts[0].outcome else {
                Issue.record("it is \(keeper.verdicts)")
                return
            }
            #expect(worker.changes.count == heard + 1)
            #expect(!keeper.told.contains(.podUnwanted(Samples.uid("web"))))
        }
    }

    @Test func `takes a controller that starts with an empty directory for one that knows nothing yet`() async throws {
        try await onThread {
            defer { mesh.stopController() }
            try mesh.startController()
            let subscriber = try PlayedSubscriber(mesh, token: try mesh.makeToken())
            defer { subscriber.stop() }
            let keeper = subscriber.keeper
            let worker = try PlayedWorker(subscriber.path, resources)
            let unwanted = Samples.uid("web")
            try run(
                loop,
                .when(
                    "the mesh", { worker.has("web") && keeper.wanted == ["web"] && keeper.told.last == .podsComplete },
                    {
                        mesh.stopController()
                        try mesh.remove("web")
                        try mesh.remove("namespace")
                        try mesh.startController()
                    }),
                .when(
                    "what is wrong with it",
                    { worker.reports.last?.problems.contains { $0.reason.contains("no manifest") } == true }),
                .fewTurns(),
                .when(
                    "a moment", { true },
                    {
                        keeper.look()
                        #expect(worker.has("web") && !keeper.told.contains(.podUnwanted(unwanted)))
                        // With the first manifest it is taken at its word.
                        try mesh.putNamespace()
                    }),
                .when("that the pod is gone", { !worker.has("web") }),
                .when(
                    "that its capture is to end",
                    { !keeper.wanted.isEmpty && keeper.told.contains(.podUnwanted(unwanted)) }
                ))
        }
    }

    @Test func `keeps its certificate, so that it needs no token again, and says so where it has neither`()
        async throws
    {
        try await onThread {
            defer { mesh.stopController() }
            try mesh.startController()
            // Without a token and without a certificate there is no way in.
            var subscriber = try PlayedSubscriber(mesh, token: nil)
            var worker = try PlayedWorker(subscriber.path, resources)
            func next(token: String?) throws {
                subscriber.stop()
                subscriber = try PlayedSubscriber(mesh, token: token)
                worker = try PlayedWorker(subscriber.path, resources)
            }
            try run(
                loop,
                .when(
                    "what to do", { worker.reports.contains { $0.linkTrouble.contains("meshnode token create") } },
                    {
                        subscriber.keeper.look()
                        #expect(!worker.isComplete && subscriber.keeper.told.isEmpty)
                        try next(token: try mesh.makeToken())
                    }),
                .when("the mesh", { worker.has("web") }, { try next(token: nil) }),
                .when("the mesh again", { worker.has("web") }))
            subscriber.stop()
        }
    }

    @Test func `renews a certificate that lives for seconds, and loses nothing by it`() async throws {
        try await onThread {
            defer { mesh.stopController() }
            mesh.nodeLifetime = 3
            try mesh.startController()
            let subscriber = try PlayedSubscriber(mesh, token: try mesh.makeToken())
            defer { subscriber.stop() }
            let keeper = subscriber.keeper
            let worker = try PlayedWorker(subscriber.path, resources)
            let path = "\(mesh.directory.path)/node/node-cert.pem"
            func certificate() -> Data? { try? Data(contentsOf: URL(filePath: path)) }
            var seen: [Data?] = []
            try run(
                loop,
                .when("the mesh", { worker.has("web") }, { seen.append(certificate()) }),
                .when("a new certificate", { certificate() != seen[0] }, { seen.append(certificate()) }),
                .when("and another", { certificate() != seen[1] }, { try mesh.putPod("new", "10.0.0.2") }),
                .when("what changes", { worker.has("new") && keeper.wanted.last == "new" }))
            // It is made anew in between, which is no trouble to tell of.
            #expect(worker.reports.drop { !$0.linkTrouble.isEmpty }.allSatisfy { $0.linkTrouble.isEmpty })
        }
    }

    @Test func `joins again with a new token when its certificate ran out while the controller was away`()
        async throws
    {
        try await onThread {
            defer { mesh.stopController() }
            mesh.nodeLifetime = 2
            try mesh.startController()
            let token = try mesh.makeToken()
            let subscriber = try PlayedSubscriber(mesh, token: token)
            defer { subscriber.stop() }
            let worker = try PlayedWorker(subscriber.path, resources)
            var expired = ContinuousClock.now
            try run(
                loop,
                .when(
                    "the mesh", { worker.has("web") },
                    {
                        mesh.stopController()
                        expired = .now + .seconds(4)
                    }),
                .when(
                    "the end of the certificate", { ContinuousClock.now > expired },
                    {
                        mesh.nodeLifetime = 0
                        try mesh.putPod("new", "10.0.0.2")
                        _ = try mesh.makeToken()
                        try mesh.startController()
                    }),
                .when("what is new", { worker.has("new") }))
        }
    }
}
