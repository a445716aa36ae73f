import Mesh
import Testing

@testable import XDS

@Suite struct `A saved state` {
    private let everything: [MeshChange] = [
        .workloadUpserted(Samples.workload), .workloadUpserted(Samples.workload(1)), .serviceUpserted(Samples.service),
        .policyUpserted(Samples.policy), .namespacePolicyUpserted(namespace: "pay", Samples.namespacePolicy),
    ]

    private func server(_ changes: [MeshChange]) -> DeltaServer {
        var server = DeltaServer()
        _ = server.applied(changes)
        _ = server.initialSetApplied()
        return server
    }

    @Test func `gives the mesh back, and only the difference is asked for`() throws {
        var server = server(everything)
        var follower = Follower(id: 1)
        follower.connect(&server)
        let state = follower.client.savedState()
        var successor = Follower(id: 2)
        let changes = try successor.client.restore(state)
        #expect(Set(changes) == Set(everything) && changes.count == everything.count)
        #expect(successor.isComplete == true)
        for change in changes { successor.mesh[ResourceKey(change)] = change }
        _ = server.applied([.workloadRemoved(Samples.workload(1).uid), .workloadUpserted(Samples.workload(2))])
        successor.connect(&server)
        #expect(successor.sentCount == 1)
        #expect(
            Set(successor.mesh.values)
                == Set(everything).subtracting([.workloadUpserted(Samples.workload(1))]).union([
                    .workloadUpserted(Samples.workload(2))
                ]))
    }

    @Test func `is not complete if the first set was not, or a policy is missing`() throws {
        var client = DeltaClient(nodeID: "")
        var successor = DeltaClient(nodeID: "")
        #expect(try successor.restore(client.savedState()).isEmpty)
        #expect(successor.isComplete == false)
        for type in ResourceType.allCases {
            var response = DeltaResponse()
            response.typeURL = type.typeURL
            if type == .authorization {
                response.resources = [try #require(try Translator().resource(of: .policyUpserted(Samples.policy)))]
                response.resources[0].resource.value = .init([0xff])
            }
            _ = client.received(response)
        }
        _ = try successor.restore(client.savedState())
        #expect(successor.isComplete == false)
    }

    @Test func `that is damaged gives an error and changes nothing, never a trap`() throws {
        var server = server(everything)
        var follower = Follower(id: 1)
        follower.connect(&server)
        let state = follower.client.savedState()
        var generator = SeededGenerator(state: 5)
        var refused = 0
        for _ in 0..<3000 {
            var mutant = state
            for _ in 0...2 {
                let index = Int.random(in: 0..<mutant.count, using: &generator)
                mutant[index] = UInt8.random(in: .min ... .max, using: &generator)
            }
            if Bool.random(using: &generator) { mutant.removeLast(Int.random(in: 0..<mutant.count, using: &generator)) }
            var client = DeltaClient(nodeID: "")
            do throws(XDSError) {
                _ = try client.restore(mutant)
            } catch {
                refused += 1
                let isEmpty = client.connected().allSatisfy { $0.initialResourceVersions.isEmpty }
                #expect(isEmpty && client.isComplete == false)
            }
        }
        #expect(refused > 1000)
        var twice = DeltaClient(nodeID: "")
        #expect(throws: XDSError.self) { _ = try Self.restore(state + state, into: &twice) }
    }

    private static func restore(_ state: [UInt8], into client: inout DeltaClient) throws -> [MeshChange] {
        try client.restore(state)
    }

    @Test func `of ten thousand workloads is quickly made`() throws {
        var client = DeltaClient(nodeID: "")
        var response = DeltaResponse()
        response.typeURL = ResourceType.address.typeURL
        for number in 0..<10_000 {
            var workload = Samples.workload
            workload.uid = WorkloadUID("c//Pod/pay/w\(number)")
            response.resources.append(try #require(try Translator().resource(of: .workloadUpserted(workload))))
        }
        _ = client.received(response)
        let clock = ContinuousClock()
        var size = 0
        let saving = clock.measure { size = client.savedState().count }
        let state = client.savedState()
        var successor = DeltaClient(nodeID: "")
        var count = 0
        let restoring = try clock.measure { count = try Self.restore(state, into: &successor).count }
        #expect(count == 10_000)
        // A figure to read, not to fail by: the build may be a debug one and the machine busy.
        print("10,000 workloads: \(size) bytes, saved in \(saving), restored in \(restoring)")
    }
}
