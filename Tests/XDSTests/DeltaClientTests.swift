import Mesh
import Testing

@testable import XDS

@Suite struct `A delta client` {
    private let translator = Translator()

    private func response(
        _ type: ResourceType, _ changes: [MeshChange] = [], removed: [String] = [], nonce: String = "n"
    ) throws -> DeltaResponse {
        var response = DeltaResponse()
        response.typeURL = type.typeURL
        response.nonce = nonce
        response.controlPlane.identifier = "meshnode"
        response.removedResources = removed
        for change in changes { response.resources.append(try #require(try translator.resource(of: change))) }
        return response
    }

    @Test func `subscribes to everything of every type`() {
        var client = DeltaClient(nodeID: "ztunnel~1")
        let requests = client.connected()
        #expect(Set(requests.map(\.typeURL)) == Set(ResourceType.allCases.map(\.typeURL)))
        for request in requests {
            #expect(request.node.id == "ztunnel~1" && request.resourceNamesSubscribe == ["*"])
            #expect(request.initialResourceVersions.isEmpty && request.responseNonce.isEmpty)
        }
    }

    @Test func `is complete once the first set of every type has come, empty or not`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        _ = client.received(try response(.address, [.workloadUpserted(Samples.workload)]))
        #expect(client.isComplete == false)
        _ = client.received(try response(.address))
        #expect(client.isComplete == false)
        _ = client.received(try response(.authorization))
        #expect(client.isComplete == false)
        _ = client.received(try response(.namespacePolicy))
        #expect(client.isComplete == true)
    }

    @Test func `does not wait for our own type where the control plane is another's`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var foreign = try response(.authorization)
        foreign.controlPlane.identifier = "istiod"
        _ = client.received(foreign)
        #expect(client.isComplete == false)
        foreign.typeURL = ResourceType.address.typeURL
        _ = client.received(foreign)
        #expect(client.isComplete == true)
        // The successor of this process does not wait for it either.
        var successor = DeltaClient(nodeID: "")
        _ = try successor.restore(client.savedState())
        #expect(successor.isComplete == true)
    }

    @Test func `waits for our own type where the control plane is ours, whatever one before it was`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var foreign = try response(.authorization)
        foreign.clearControlPlane()
        _ = client.received(foreign)
        _ = client.connected()
        _ = client.received(try response(.address))
        #expect(client.isComplete == false)
        _ = client.received(try response(.namespacePolicy))
        #expect(client.isComplete == true)
    }

    @Test func `acknowledges with the nonce`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        let update = client.received(try response(.address, [.workloadUpserted(Samples.workload)], nonce: "42"))
        #expect(update.changes == [.workloadUpserted(Samples.workload)])
        #expect(update.reply.responseNonce == "42" && !update.reply.hasErrorDetail)
        #expect(update.reply.typeURL == ResourceType.address.typeURL)
        #expect(update.reply.resourceNamesSubscribe.isEmpty && update.reply.initialResourceVersions.isEmpty)
    }

    @Test func `takes the good resources, refuses the bad one by name, and does not count it as known`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var message = try response(
            .address, [.workloadUpserted(Samples.workload(1)), .workloadUpserted(Samples.workload(2))])
        var bad = try translator.message(of: Samples.workload(2))
        bad.addresses = [.init([1, 2, 3])]
        message.resources[1].resource = try AnyResource.pack(Istio_Workload_Address.with { $0.workload = bad })
        let update = client.received(message)
        #expect(update.changes == [.workloadUpserted(Samples.workload(1))])
        #expect(update.reply.errorDetail.code == 3)
        #expect(update.reply.errorDetail.message.contains("w2") && update.rejections.count == 1)
        let known = client.connected().first { $0.typeURL == message.typeURL }?.initialResourceVersions
        #expect(known.map { Set($0.keys) } == ["c//Pod/ns/w1"])
    }

    @Test func `keeps the last good state of a resource whose new state it refuses`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        let good = try response(.authorization, [.policyUpserted(Samples.policy("p"))])
        _ = client.received(good)
        var bad = good
        bad.resources[0].version = "later"
        bad.resources[0].resource.value = .init([0xff])
        #expect(client.received(bad).changes.isEmpty)
        let known = client.connected().first { $0.typeURL == good.typeURL }?.initialResourceVersions
        #expect(known == ["ns/p": good.resources[0].version])
        // And it can still be removed.
        #expect(
            client.received(try response(.authorization, removed: ["ns/p"])).changes
                == [.policyRemoved(NamespacedName(namespace: "ns", name: "p"))])
    }

    @Test func `is not complete while it has to do without a policy`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        _ = client.received(try response(.address))
        _ = client.received(try response(.namespacePolicy))
        var bad = try response(.authorization, [.policyUpserted(Samples.policy("p"))])
        bad.resources[0].resource.value = .init([0xff])
        _ = client.received(bad)
        #expect(client.isComplete == false)
        _ = client.received(try response(.authorization, [.policyUpserted(Samples.policy("p"))]))
        #expect(client.isComplete == true)
        _ = client.received(bad)
        #expect(client.isComplete == true)
    }

    @Test func `applies removals before insertions, since an address may pass from one workload to another`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var successor = Samples.workload(2)
        successor.addresses = Samples.workload(1).addresses
        _ = client.received(try response(.address, [.workloadUpserted(Samples.workload(1))]))
        let update = client.received(
            try response(.address, [.workloadUpserted(successor)], removed: ["c//Pod/ns/w1", "unknown"]))
        #expect(update.changes == [.workloadRemoved(Samples.workload(1).uid), .workloadUpserted(successor)])
    }

    @Test func `ends with the insertion when one name is removed and inserted at once`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        let first = try response(.address, [.workloadUpserted(Samples.workload(1))])
        _ = client.received(first)
        let update = client.received(
            try response(.address, [.workloadUpserted(Samples.workload(1))], removed: ["c//Pod/ns/w1"]))
        #expect(update.changes.last == .workloadUpserted(Samples.workload(1)))
        #expect(client.connected().contains { !$0.initialResourceVersions.isEmpty })
    }

    @Test func `lets go of the workload when its name becomes a service`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var workload = Samples.workload(1)
        workload.uid = WorkloadUID("pay/api.pay.svc.cluster.local")
        _ = client.received(try response(.address, [.workloadUpserted(workload)]))
        let update = client.received(try response(.address, [.serviceUpserted(Samples.service)]))
        #expect(update.changes == [.workloadRemoved(workload.uid), .serviceUpserted(Samples.service)])
    }

    @Test func `refuses a type that it did not ask for`() {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var message = DeltaResponse()
        message.typeURL = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
        message.nonce = "9"
        let update = client.received(message)
        #expect(update.changes.isEmpty && update.reply.hasErrorDetail && update.reply.responseNonce == "9")
        #expect(client.isComplete == false)
    }

    @Test func `says no more than a few of ten thousand reasons`() throws {
        var client = DeltaClient(nodeID: "")
        _ = client.connected()
        var message = try response(.address)
        message.resources = Array(repeating: WireResource(), count: 10_000)
        #expect(client.received(message).reply.errorDetail.message.utf8.count < 6000)
    }
}
