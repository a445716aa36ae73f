import Kernel
import Mesh
import Testing
import Transport
import XDS

@testable import Agent

/// A controller that holds back what the test does not let go.
private final class FakeController {
    private var server = DeltaServer()
    private var channel: ChannelConnection?
    private var clients: UInt64 = 0
    private(set) var requests: [DeltaRequest] = []
    private(set) var certificateRequests: [CertificateRequest] = []
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
        case .discoveryResponse, .certificateResponse, .controllerReport: Issue.record("a worker sent \(message)")
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

    func snapshotChanged(_ snapshot: MeshSnapshot) { snapshots.append(snapshot) }
    func certificateArrived(_ response: CertificateResponse) { certificates.append(response) }
    func controllerLost(_ cause: String) { losses.append(cause) }
    func resourcesRejected(_ errors: [XDSError]) { rejections += errors }
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
        subscription = MeshSubscription(nodeID: "meshnode~node-a", resources: resources, delegate: listener)
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
                "one kind", { controller.requests.count == 3 },
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
}
