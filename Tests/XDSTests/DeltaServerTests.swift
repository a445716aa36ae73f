import Mesh
import Testing

@testable import XDS

/// A client that takes what it is sent, and the mesh as it then sees it.
struct Follower: ~Copyable {
    let id: DeltaServer.ClientID
    var client = DeltaClient(nodeID: "test")
    var mesh: [ResourceKey: MeshChange] = [:]
    /// Resources that were sent to it, ever.
    var sentCount = 0

    var isComplete: Bool { client.isComplete }

    init(id: DeltaServer.ClientID) { self.id = id }

    mutating func connect(_ server: inout DeltaServer) {
        server.connected(id)
        for request in client.connected() { take(server.received(request, from: id).outgoing, &server) }
    }

    mutating func take(_ outgoing: [DeltaServer.Outgoing], _ server: inout DeltaServer) {
        for item in outgoing where item.client == id {
            sentCount += item.response.resources.count
            let update = client.received(item.response)
            for change in update.changes {
                let key = ResourceKey(change)
                mesh[key] = change == key.removal ? nil : change
            }
            take(server.received(update.reply, from: id).outgoing, &server)
        }
    }
}

@Suite struct `A delta server` {
    private func loaded(_ changes: [MeshChange]) -> DeltaServer {
        var server = DeltaServer()
        _ = server.applied(changes)
        _ = server.initialSetApplied()
        return server
    }

    private func key(_ change: MeshChange) -> ResourceKey { ResourceKey(change) }

    @Test func `sends the full set first and then only what changes`() {
        let everything: [MeshChange] = [
            .workloadUpserted(Samples.workload), .serviceUpserted(Samples.service), .policyUpserted(Samples.policy),
        ]
        var server = loaded(everything)
        var follower = Follower(id: 1)
        follower.connect(&server)
        #expect(Set(follower.mesh.values) == Set(everything) && follower.isComplete)
        #expect(follower.sentCount == 3)
        follower.take(server.applied([.workloadUpserted(Samples.workload(1))]).outgoing, &server)
        #expect(follower.sentCount == 4 && follower.mesh.count == 4)
        follower.take(server.applied([.serviceRemoved(Samples.service.name)]).outgoing, &server)
        #expect(follower.sentCount == 4 && follower.mesh[.service(Samples.service.name)] == nil)
        // The same again is no change.
        #expect(server.applied([.workloadUpserted(Samples.workload(1))]).outgoing.isEmpty)
    }

    @Test func `keeps clients waiting until its own first set is whole`() {
        var server = DeltaServer()
        var follower = Follower(id: 1)
        follower.connect(&server)
        follower.take(server.applied([.workloadUpserted(Samples.workload(1))]).outgoing, &server)
        #expect(follower.sentCount == 0 && !follower.isComplete)
        follower.take(server.initialSetApplied(), &server)
        #expect(follower.sentCount == 1 && follower.isComplete)
    }

    @Test func `answers even if there is nothing, since the client waits for it`() {
        var server = loaded([])
        var follower = Follower(id: 1)
        follower.connect(&server)
        #expect(follower.isComplete == true && follower.sentCount == 0)
    }

    @Test func `sends a client that comes back what changed and what vanished meanwhile, and nothing else`() {
        var server = loaded(
            [1, 2, 3].map { .workloadUpserted(Samples.workload($0)) } + [.policyUpserted(Samples.policy("p"))])
        var follower = Follower(id: 1)
        follower.connect(&server)
        #expect(follower.sentCount == 4)
        server.disconnected(1)
        _ = server.applied([
            .workloadRemoved(Samples.workload(1).uid), .workloadUpserted(Samples.workload(2, node: "n2")),
            .policyRemoved(Samples.policy("p").name), .workloadUpserted(Samples.workload(4)),
        ])
        follower.connect(&server)
        #expect(follower.sentCount == 6)
        #expect(
            Set(follower.mesh.values) == [
                .workloadUpserted(Samples.workload(2, node: "n2")), .workloadUpserted(Samples.workload(3)),
                .workloadUpserted(Samples.workload(4)),
            ])
    }

    @Test func `does not send again what a client knows from the server before this one`() {
        let changes: [MeshChange] = [.workloadUpserted(Samples.workload), .serviceUpserted(Samples.service)]
        var former = loaded(changes + [.workloadUpserted(Samples.workload(1))])
        var follower = Follower(id: 1)
        follower.connect(&former)
        var server = loaded(changes)
        follower.connect(&server)
        #expect(follower.sentCount == 3)
        #expect(Set(follower.mesh.values) == Set(changes))
    }

    @Test func `removes names that only the client has ever heard of`() throws {
        var server = loaded([])
        server.connected(1)
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        request.initialResourceVersions = ["ghost": "1"]
        let response = try #require(server.received(request, from: 1).outgoing.first).response
        #expect(response.removedResources == ["ghost"] && response.resources.isEmpty)
    }

    @Test func `has a few responses under way, and sends the latest state of the rest when one is answered`() throws {
        var server = loaded([])
        server.connected(1)
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        let first = try #require(server.received(request, from: 1).outgoing.first).response
        for number in 1..<DeltaSession.maximumUnanswered {
            #expect(server.applied([.workloadUpserted(Samples.workload(number))]).outgoing.count == 1)
        }
        #expect(server.applied([.workloadUpserted(Samples.workload(1, node: "n2"))]).outgoing.isEmpty)
        #expect(server.applied([.workloadUpserted(Samples.workload(1, node: "n3"))]).outgoing.isEmpty)
        #expect(
            server.applied([.workloadUpserted(Samples.workload(9)), .workloadRemoved(Samples.workload(9).uid)]).outgoing
                .isEmpty)
        request.responseNonce = "stale"
        #expect(server.received(request, from: 1).outgoing.isEmpty)
        request.responseNonce = first.nonce
        let next = try #require(server.received(request, from: 1).outgoing.first).response
        #expect(next.resources.count == 1 && next.removedResources.isEmpty && next.nonce != first.nonce)
        #expect(
            try Translator().change(of: next.resources[0], type: .address)
                == .workloadUpserted(Samples.workload(1, node: "n3")))
    }

    @Test func `does not repeat what was refused, but sends what changes after it, and its removal`() throws {
        var server = loaded([.policyUpserted(Samples.policy("p"))])
        server.connected(1)
        var request = DeltaRequest()
        request.typeURL = ResourceType.authorization.typeURL
        let first = try #require(server.received(request, from: 1).outgoing.first).response
        request.responseNonce = first.nonce
        request.errorDetail.message = "no"
        let answer = server.received(request, from: 1)
        #expect(answer.refusal == "no" && answer.outgoing.isEmpty)
        let second = server.applied([.policyUpserted(Samples.policy("q"))]).outgoing
        #expect(second.first?.response.resources.map(\.name) == ["ns/q"])
        request.responseNonce = try #require(second.first).response.nonce
        _ = server.received(request, from: 1)
        #expect(
            server.applied([.policyRemoved(Samples.policy("p").name)]).outgoing.first?.response.removedResources == [
                "ns/p"
            ])
    }

    @Test func `tells again, or that it is gone, what a client asks for by name`() throws {
        var server = loaded([.workloadUpserted(Samples.workload(1))])
        server.connected(1)
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        let first = try #require(server.received(request, from: 1).outgoing.first).response
        request.responseNonce = first.nonce
        request.resourceNamesSubscribe = ["c//Pod/ns/w1", "gone"]
        let second = try #require(server.received(request, from: 1).outgoing.first).response
        #expect(second.resources.map(\.name) == ["c//Pod/ns/w1"] && second.removedResources == ["gone"])
    }

    @Test func `keeps dry-run policies from a client that would enforce them`() throws {
        var server = loaded([.policyUpserted(Samples.policy("p"))])
        server.connected(1, knowsDryRun: false)
        server.connected(2)
        var request = DeltaRequest()
        request.typeURL = ResourceType.authorization.typeURL
        for id: DeltaServer.ClientID in [1, 2] {
            let response = try #require(server.received(request, from: id).outgoing.first).response
            #expect(response.resources.count == 1)
            request.responseNonce = response.nonce
            _ = server.received(request, from: id)
            request.responseNonce = ""
        }
        let outgoing = server.applied([.policyUpserted(Samples.policy("p", dryRun: true))]).outgoing
        #expect(outgoing.first { $0.client == 1 }?.response.removedResources == ["ns/p"])
        #expect(outgoing.first { $0.client == 2 }?.response.resources.count == 1)
    }

    @Test func `sends policies before the workloads that change with them`() {
        var server = loaded([])
        var follower = Follower(id: 1)
        follower.connect(&server)
        let outgoing = server.applied([.workloadUpserted(Samples.workload(1)), .policyUpserted(Samples.policy("p"))])
            .outgoing
        #expect(outgoing.map(\.response.typeURL) == [ResourceType.authorization.typeURL, ResourceType.address.typeURL])
    }

    @Test func `reports a change that has no form on the wire and keeps the state before it`() {
        var server = loaded([.serviceUpserted(Samples.service)])
        var service = Samples.service
        service.hostname = "x.example.com"
        let applied = server.applied([.serviceUpserted(service)])
        #expect(applied.problems.map(\.code) == [.notRepresentable] && applied.outgoing.isEmpty)
        var follower = Follower(id: 1)
        follower.connect(&server)
        #expect(Set(follower.mesh.values) == [.serviceUpserted(Samples.service)])
    }

    @Test func `ignores clients that it does not know`() {
        var server = loaded([.workloadUpserted(Samples.workload(1))])
        var request = DeltaRequest()
        request.typeURL = ResourceType.address.typeURL
        #expect(server.received(request, from: 7).outgoing.isEmpty)
        server.connected(7)
        server.disconnected(7)
        #expect(server.clientCount == 0)
    }

    @Test func `says at once that there is nothing of a type that it does not know`() throws {
        var server = DeltaServer()
        server.connected(7)
        var request = DeltaRequest()
        request.typeURL = "type.googleapis.com/else"
        request.initialResourceVersions = ["a": "1"]
        let response = try #require(server.received(request, from: 7).outgoing.first).response
        #expect(response.typeURL == request.typeURL && response.resources.isEmpty && !response.nonce.isEmpty)
        #expect(response.removedResources == ["a"])
        request.initialResourceVersions = [:]
        request.responseNonce = response.nonce
        #expect(server.received(request, from: 7).outgoing.isEmpty)
    }

    @Test func `and its clients agree after any sequence of changes, breaks and restarts`() {
        var generator = SeededGenerator(state: 11)
        var truth: [ResourceKey: MeshChange] = [:]
        var server = loaded([])
        var follower = Follower(id: 1)
        follower.connect(&server)
        var isConnected = true
        for _ in 0..<2000 {
            let number = Int.random(in: 1...8, using: &generator)
            let change: MeshChange =
                switch Int.random(in: 0...4, using: &generator) {
                case 0: .workloadRemoved(Samples.workload(number).uid)
                case 1: .policyUpserted(Samples.policy("p\(number)", dryRun: Bool.random(using: &generator)))
                case 2: .policyRemoved(Samples.policy("p\(number)").name)
                default:
                    .workloadUpserted(Samples.workload(number, node: "n\(Int.random(in: 0...2, using: &generator))"))
                }
            let key = ResourceKey(change)
            truth[key] = change == key.removal ? nil : change
            let outgoing = server.applied([change]).outgoing
            if isConnected { follower.take(outgoing, &server) }
            switch Int.random(in: 0...19, using: &generator) {
            case 0 where isConnected:
                server.disconnected(1)
                isConnected = false
            case 1 where isConnected:
                server = loaded(Array(truth.values))
                follower.connect(&server)
            case 2...8 where !isConnected:
                follower.connect(&server)
                isConnected = true
            default: break
            }
            if isConnected { #expect(follower.mesh == truth) }
        }
    }
}
