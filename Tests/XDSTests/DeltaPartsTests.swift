import Mesh
import Testing

@testable import XDS

@Suite struct `A large set` {
    private func crowd(_ count: Int) -> [MeshChange] {
        (0..<count).map { number in
            var workload = Samples.workload
            workload.uid = WorkloadUID("c//Pod/pay/w\(number)")
            return .workloadUpserted(workload)
        }
    }

    private func server(_ changes: [MeshChange]) -> DeltaServer {
        var server = DeltaServer()
        _ = server.applied(changes)
        _ = server.initialSetApplied()
        return server
    }

    private func subscription(takesParts: Bool) -> DeltaRequest {
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        request.takesParts = takesParts
        return request
    }

    @Test func `comes in parts of about a mebibyte, and is complete with the last of them`() throws {
        var server = server(crowd(12_000))
        var client = DeltaClient(nodeID: "")
        server.connected(1)
        var waiting: [DeltaResponse] = []
        for request in client.connected() {
            #expect(request.takesParts)
            waiting += server.received(request, from: 1).outgoing.map(\.response)
        }
        #expect(waiting.count(where: { $0.typeURL == ResourceType.address.typeURL }) == DeltaSession.maximumUnanswered)
        var received = 0
        var parts = 0
        while !waiting.isEmpty {
            let response = waiting.removeFirst()
            let bytes: [UInt8] = try response.serializedBytes()
            #expect(bytes.count < DeltaSession.partLength + 4096)
            if response.typeURL == ResourceType.address.typeURL {
                parts += 1
                #expect(client.isComplete == false)
                received += response.resources.count
                #expect(response.moreFollows == (received < 12_000))
            }
            let update = client.received(response)
            waiting += server.received(update.reply, from: 1).outgoing.map(\.response)
        }
        #expect(client.isComplete == true && received == 12_000 && parts > DeltaSession.maximumUnanswered)
    }

    @Test func `has what changed while it was on its way`() throws {
        var server = server(crowd(12_000))
        server.connected(1)
        var waiting = server.received(subscription(takesParts: true), from: 1).outgoing.map(\.response)
        _ = server.applied([
            .workloadRemoved(WorkloadUID("c//Pod/pay/w1")), .workloadRemoved(WorkloadUID("c//Pod/pay/w9999")),
        ])
        var versions: [String: String] = [:]
        while !waiting.isEmpty {
            let response = waiting.removeFirst()
            for name in response.removedResources { versions[name] = nil }
            for resource in response.resources { versions[resource.name] = resource.version }
            var answer = DeltaRequest()
            answer.typeURL = response.typeURL
            answer.responseNonce = response.nonce
            waiting += server.received(answer, from: 1).outgoing.map(\.response)
        }
        #expect(versions.count == 11_998 && versions["c//Pod/pay/w1"] == nil && versions["c//Pod/pay/w9999"] == nil)
    }

    @Test func `comes whole to one who knows no parts`() throws {
        var server = server(crowd(12_000))
        server.connected(1)
        let outgoing = server.received(subscription(takesParts: false), from: 1).outgoing
        #expect(outgoing.count == 1)
        #expect(outgoing.first?.response.resources.count == 12_000 && outgoing.first?.response.moreFollows == false)
    }

    @Test func `begins with what is gone`() throws {
        var server = server(crowd(3))
        server.connected(1)
        var request = subscription(takesParts: true)
        request.initialResourceVersions = ["zz": "1", "c//Pod/pay/w0": "old"]
        let response = try #require(server.received(request, from: 1).outgoing.first).response
        #expect(response.removedResources == ["zz"] && response.resources.count == 3 && !response.moreFollows)
    }
}

@Suite final class `A subscription by name` {
    private var server: DeltaServer
    private let key = "pay/api.pay.svc.cluster.local"

    init() {
        server = DeltaServer()
        var other = Samples.workload(2)
        other.services = [Samples.service.name: []]
        _ = server.applied([
            .workloadUpserted(Samples.workload(1)), .workloadUpserted(other), .workloadUpserted(Samples.workload(3)),
            .serviceUpserted(Samples.service),
        ])
        _ = server.initialSetApplied()
        server.connected(1)
    }

    private func request(_ subscribe: [String], unsubscribe: [String] = []) -> DeltaRequest {
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        request.resourceNamesSubscribe = subscribe
        request.resourceNamesUnsubscribe = unsubscribe
        return request
    }

    @Test func `to nothing at first gets an empty set, and no changes`() throws {
        let first = server.received(request(["*"], unsubscribe: ["*"]), from: 1).outgoing
        #expect(first.count == 1 && first[0].response.resources.isEmpty)
        #expect(server.applied([.workloadUpserted(Samples.workload(1, node: "n2"))]).outgoing.isEmpty)
    }

    @Test func `finds a workload by its address and follows it`() throws {
        _ = server.received(request(["*"], unsubscribe: ["*"]), from: 1)
        let found = server.received(request(["/10.1.0.1"]), from: 1).outgoing
        #expect(found.flatMap { $0.response.resources.map(\.name) } == ["c//Pod/ns/w1"])
        #expect(found.first?.response.resources.first?.aliases == ["/10.1.0.1"])
        #expect(server.applied([.workloadUpserted(Samples.workload(3, node: "n2"))]).outgoing.isEmpty)
        let changed = server.applied([.workloadUpserted(Samples.workload(1, node: "n2"))]).outgoing
        #expect(changed.flatMap { $0.response.resources.map(\.name) } == ["c//Pod/ns/w1"])
        let gone = server.applied([.workloadRemoved(Samples.workload(1).uid)]).outgoing
        #expect(gone.flatMap(\.response.removedResources) == ["c//Pod/ns/w1"])
    }

    @Test func `is told that there is nothing, and of what comes there later`() throws {
        let nothing = server.received(request(["/10.1.0.9"]), from: 1).outgoing
        #expect(nothing.flatMap(\.response.removedResources) == ["/10.1.0.9"])
        let later = server.applied([.workloadUpserted(Samples.workload(9))]).outgoing
        #expect(later.flatMap { $0.response.resources.map(\.name) } == ["c//Pod/ns/w9"])
    }

    @Test func `to a service brings its endpoints, also those to come`() throws {
        let found = server.received(request(["/10.96.0.1"]), from: 1).outgoing
        #expect(Set(found.flatMap { $0.response.resources.map(\.name) }) == [key, "c//Pod/ns/w2"])
        let byName = server.received(request([key]), from: 1).outgoing
        #expect(Set(byName.flatMap { $0.response.resources.map(\.name) }) == [key, "c//Pod/ns/w2"])
        var endpoint = Samples.workload(4)
        endpoint.services = [Samples.service.name: []]
        let later = server.applied([.workloadUpserted(endpoint)]).outgoing
        #expect(later.flatMap { $0.response.resources.map(\.name) } == ["c//Pod/ns/w4"])
    }

    @Test func `ends when the client says so`() throws {
        _ = server.received(request(["c//Pod/ns/w1"]), from: 1)
        #expect(server.received(request([], unsubscribe: ["c//Pod/ns/w1"]), from: 1).outgoing.isEmpty)
        #expect(server.applied([.workloadUpserted(Samples.workload(1, node: "n2"))]).outgoing.isEmpty)
    }

    @Test func `goes on after a break with what the client knows`() throws {
        var again = request([])
        again.initialResourceVersions = ["c//Pod/ns/w1": "old", "c//Pod/ns/gone": "old"]
        again.resourceNamesSubscribe = ["*"]
        again.resourceNamesUnsubscribe = ["*"]
        let response = try #require(server.received(again, from: 1).outgoing.first).response
        #expect(response.resources.map(\.name) == ["c//Pod/ns/w1"] && response.removedResources == ["c//Pod/ns/gone"])
        let changed = server.applied([.workloadUpserted(Samples.workload(1, node: "n2"))]).outgoing
        #expect(changed.flatMap { $0.response.resources.map(\.name) } == ["c//Pod/ns/w1"])
    }
}
