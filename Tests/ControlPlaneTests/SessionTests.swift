import CertificateAuthority
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import Mesh
import Testing
import XDS

@testable import ControlPlane

@Suite(.timeLimit(.minutes(5))) struct `A node's connection to the controller` {
    let authority: TestAuthority
    let controller: TestController
    let subscriber = TestSubscriber()

    init() throws {
        authority = try TestAuthority()
        controller = TestController(authority, mesh: [1, 2, 3].map { workload($0) })
    }

    @Test func `brings the mesh and then what changes`() async throws {
        try await withServer(controller) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                try await subscriber.hasMesh([workload(1), workload(2), workload(3)])
                #expect(try await controller.opened("n1", .discovery).node == "n1")
                controller.apply([.workloadRemoved(WorkloadUID("c//Pod/ns/w2")), workload(4)])
                try await subscriber.hasMesh([workload(1), workload(3), workload(4)])
            }
        }
    }

    @Test func `brings only the difference after the controller was restarted`() async throws {
        let credential = try authority.node("n1")
        let port = try await withServer(controller) { server, endpoint in endpoint.port }
        let endpoint = try ControllerEndpoint("127.0.0.1:\(port)")
        try await withClient(endpoint, credential, subscriber) { _ in
            try await withServer(controller, listener: .address("127.0.0.1", port: port)) { _, _ in
                try await subscriber.hasMesh([workload(1), workload(2), workload(3)])
            }
            let code = try await subscriber.lost().code
            #expect(code == .disconnected || code == .connectionRefused)
            let successor = TestController(authority, mesh: [workload(1), workload(3, node: "n2"), workload(4)])
            try await withServer(successor, listener: .address("127.0.0.1", port: port)) { _, _ in
                try await subscriber.hasMesh([workload(1), workload(3, node: "n2"), workload(4)])
                #expect(successor.sentResources == 2)
            }
        }
    }

    @Test func `carries reports, questions and verdicts both ways`() async throws {
        try await withServer(controller) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                let connection = try await subscriber.connected()
                let report = ChannelMessage.nodeReport(NodeReport(node: "n1", takenAt: 1, json: [0x7b, 0x7d]))
                connection.send(report)
                let (said, node) = try await controller.said { $0 == report }
                #expect(said == report && node == "n1")
                connection.send(.podQuestion(PodQuestion(id: 7, namespace: "a", name: "b", uid: "")))
                let verdict = ChannelMessage.podVerdict(PodVerdict(id: 7, outcome: .leave(reason: "no b")))
                #expect(try await subscriber.said { $0 == verdict } == verdict)
                let news = ChannelMessage.controllerReport(ControllerReport(revokedSerials: ["0a"]))
                try await controller.opened("n1", .session).send(news)
                #expect(try await subscriber.said { $0 == news } == news)
            }
        }
    }

    @Test func `carries certificate requests with the name of the node that asks`() async throws {
        try await withServer(controller) { _, endpoint in
            try await withClient(endpoint, try authority.node("n7"), subscriber) { client in
                _ = try await subscriber.connected()
                let id = SPIFFEID(trustDomain: authority.trustDomain, namespace: "here", serviceAccount: "a")
                let request = CertificateRequest(id: 5, signingRequestPEM: "csr", identity: id, lifetimeInSeconds: 60)
                let response = await client.certificate(request)
                #expect(response == .init(id: 5, outcome: .issued(chainPEM: ["leaf of n7", "root"])))
                let event = try await controller.events.first { if case .certificate = $0 { true } else { false } }
                guard case .certificate(let asked, let node) = event else { return }
                #expect(node == "n7" && asked.identity == id && asked.signingRequestPEM == "csr")
                #expect(asked.lifetimeInSeconds == 60)
                var elsewhere = request
                elsewhere.identity = SPIFFEID(trustDomain: authority.trustDomain, namespace: "x", serviceAccount: "a")
                guard case .refused(let reason) = await client.certificate(elsewhere).outcome else {
                    Issue.record("it was issued")
                    return
                }
                #expect(reason.contains("no pod of it on n7"))
                elsewhere.identity = SPIFFEID(
                    trustDomain: authority.trustDomain, namespace: "x", serviceAccount: "dropped")
                guard case .refused(let reason) = await client.certificate(elsewhere).outcome else { return }
                #expect(reason.contains("ending"))
            }
        }
    }

    @Test func `refuses certificate requests at once while there is none`() async throws {
        let client = ControlPlaneClient(
            endpoint: try ControllerEndpoint("127.0.0.1:1"), credential: try authority.node("n1"), handler: subscriber)
        let id = SPIFFEID(trustDomain: authority.trustDomain, namespace: "here", serviceAccount: "a")
        let response = await client.certificate(CertificateRequest(id: 1, signingRequestPEM: "", identity: id))
        guard case .refused(let reason) = response.outcome else {
            Issue.record("it was issued")
            return
        }
        #expect(reason.contains("no connection"))
    }

    @Test func `renews the node's certificate and shows the new one`() async throws {
        try await withServer(controller) { _, endpoint in
            let credential = try authority.node("n1", lifetime: 600)
            try await withClient(endpoint, credential, subscriber) { client in
                _ = try await subscriber.connected()
                let renewed = try await client.renewed()
                #expect(renewed.node == "n1" && renewed.notAfter > credential.notAfter)
                #expect(renewed.chainPEM != credential.chainPEM)
                client.replace(credential: renewed)
                #expect(try await subscriber.lost().message.contains("was replaced"))
                _ = try await subscriber.events.first { event in
                    if case .connected(let connection) = event { connection.session.closeCause == nil } else { false }
                }
            }
        }
    }

    @Test func `takes the place of the one that the node had`() async throws {
        try await withServer(controller) { _, endpoint in
            let credential = try authority.node("n1")
            try await withClient(endpoint, credential, subscriber) { _ in
                _ = try await subscriber.connected()
                let second = TestSubscriber()
                try await withClient(endpoint, credential, second) { _ in
                    try await second.hasMesh([workload(1), workload(2), workload(3)])
                    #expect(try await controller.closed("n1", .session).contains("opened another stream"))
                    #expect(try await subscriber.lost().code == .displaced)
                }
            }
        }
    }

    @Test func `ends with the node's certificate, and says so`() async throws {
        try await withServer(controller) { _, endpoint in
            // On a busy machine it may expire before there is a connection; what the node is told is the same.
            let credential = try authority.node("n1", lifetime: 3)
            try await withClient(endpoint, credential, subscriber) { _ in
                let error = try await subscriber.lost()
                #expect(error.code == .unauthenticated || error.code == .certificateExpired)
                for event in controller.events.all {
                    if case .closed(_, _, let cause) = event { #expect(cause.contains("expired")) }
                }
            }
        }
    }

    @Test func `is closed when the node does not read`() async throws {
        let limits = StreamLimits(messages: 64, bytes: 1 << 20)
        try await withServer(controller, limits: limits) { _, endpoint in
            let credential = try authority.node("n1")
            let transport = try ControllerTransport.make(
                endpoint, chainPEM: credential.chainPEM, keyPEM: credential.key.pem, check: ControllerCheck { _ in })
            // Nothing is said, and the stream stays open.
            let silence = OutgoingQueue(StreamLimits())
            try await withGRPCClient(transport: transport) { client in
                try await client.bidirectionalStreaming(
                    request: StreamingClientRequest { _ in _ = try await silence.drain { _ in } },
                    descriptor: ControlPlaneMethod.session,
                    serializer: EncodedMessageSerializer(),
                    deserializer: ProtobufDeserializer<Meshnode_Wire_Envelope>(),
                    options: .toController(timeout: nil)
                ) { [controller] _ in
                    // The response is there, and nobody reads it.
                    let stream = try await controller.opened("n1", .session)
                    let text = String(repeating: "x", count: 60_000)
                    // More than every window and buffer on the way holds.
                    for id in 0..<5_000 where stream.queue.closeCause == nil {
                        stream.send(.podVerdict(PodVerdict(id: UInt64(id), outcome: .leave(reason: text))))
                        await Task.yield()
                    }
                    #expect(try await controller.closed("n1", .session).contains("does not read"))
                    silence.close("done")
                }
            }
        }
    }
}
