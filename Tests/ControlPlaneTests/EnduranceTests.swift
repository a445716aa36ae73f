import Mesh
import Testing
import XDS

@testable import ControlPlane

@Suite(.timeLimit(.minutes(2))) struct `A controller among peers that do not do their part` {
    let authority: TestAuthority
    let controller: TestController
    let subscriber = TestSubscriber()

    init() throws {
        PlainConnection.allowManyDescriptors()
        authority = try TestAuthority()
        controller = TestController(authority, mesh: [workload(1)])
    }

    @Test func `serves a node beside 2,000 connections that never finish their handshake`() async throws {
        try await withServer(controller) { _, endpoint in
            let connections = (0..<2000).compactMap { _ in PlainConnection(to: endpoint.port) }
            #expect(connections.count == 2000)
            // The beginning of a handshake record, and never the rest.
            for connection in connections.prefix(1000) { _ = connection.write([0x16, 3, 1, 2, 0, 1]) }
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                try await subscriber.hasMesh([workload(1)])
                for connection in connections { connection.reset() }
                controller.apply([workload(2)])
                try await subscriber.hasMesh([workload(1), workload(2)])
            }
            // And it still takes others.
            let another = TestSubscriber()
            try await withClient(endpoint, try authority.node("n2"), another) { _ in
                try await another.hasMesh([workload(1), workload(2)])
            }
        }
    }

    @Test func `keeps no more of them than its bound, and lets the oldest go`() async throws {
        let limits = ConnectionGate.Limits(unproved: 8, greeting: .seconds(3600))
        try await withServer(controller, connections: limits) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                try await subscriber.hasMesh([workload(1)])
                let connections = (0..<40).compactMap { _ in PlainConnection(to: endpoint.port) }
                await withTaskGroup(of: Void.self) { group in
                    for connection in connections { group.addTask { _ = await connection.next() } }
                    // Which are the oldest depends on the threads that took them; how many, does not.
                    for _ in 0..<32 { await group.next() }
                    for connection in connections { connection.shutDown() }
                }
                // The node has proved itself and stays.
                controller.apply([workload(2)])
                try await subscriber.hasMesh([workload(1), workload(2)])
                #expect(!subscriber.events.all.contains { if case .lost = $0 { true } else { false } })
            }
        }
    }

    @Test func `closes a connection on which nothing is said`() async throws {
        let limits = ConnectionGate.Limits(greeting: .milliseconds(50))
        try await withServer(controller, connections: limits) { _, endpoint in
            let silent = try #require(PlainConnection(to: endpoint.port))
            let slow = try #require(PlainConnection(to: endpoint.port))
            _ = slow.write([0x16, 3, 1, 2, 0, 1])
            #expect(await silent.next().isEmpty)
            // It may be told that its time is up before the end.
            while await !slow.next().isEmpty {}
        }
    }

    @Test func `is found by its nodes, and finds them, when the way between them vanishes without a word`() async throws
    {
        let liveness = Liveness(silence: .milliseconds(600), answer: .milliseconds(200))
        let limits = ConnectionGate.Limits(silence: .seconds(2))
        try await withServer(controller, liveness: liveness, connections: limits) { _, endpoint in
            let relay = try Relay(to: endpoint.port)
            defer { relay.end() }
            let way = try ControllerEndpoint("127.0.0.1:\(relay.port)")
            try await withClient(way, try authority.node("n1"), subscriber, liveness: liveness) { _ in
                try await subscriber.hasMesh([workload(1)])
                relay.vanish()
                #expect(try await subscriber.lost().code == .disconnected)
                _ = try await controller.closed("n1", .session)
            }
        }
        // What holds outside of tests.
        let usual = Liveness()
        #expect(usual.silence + usual.answer + Liveness.farewell <= .seconds(15) && usual.answer < usual.silence)
    }

    @Test func `leaves a node to the agent that came last`() async throws {
        let successor = TestSubscriber()
        let credential = try authority.node("n1")
        try await withServer(controller) { _, endpoint in
            try await withClient(endpoint, credential, subscriber, displacedDelay: .seconds(3600)) { _ in
                try await subscriber.hasMesh([workload(1)])
                try await withClient(endpoint, credential, successor) { _ in
                    let error = try await subscriber.lost()
                    #expect(error.code == .displaced)
                    #expect(error.message.contains("the node opened another stream from ipv4:127.0.0.1"))
                    try await successor.hasMesh([workload(1)])
                    controller.apply([workload(2)])
                    try await successor.hasMesh([workload(1), workload(2)])
                }
            }
        }
        #expect(!successor.events.all.contains { if case .lost = $0 { true } else { false } })
    }
}
