import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// Pods come and go for as long as an agent runs: nothing of those that went may be kept.
@Suite struct `What is kept of a pod` {
    /// Releases what a worker does every few seconds: whatever is neither in the mesh nor on this node.
    private func release(_ world: ProxyWorld) {
        let snapshot = world.snapshot
        world.metrics.releaseAll { snapshot.workload($0) != nil }
    }

    private func labelSets(_ world: ProxyWorld) -> Int {
        world.registry.metricFamilies().first { $0.name == "istio_tcp_connections_opened_total" }?.samples.count ?? 0
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is not its label sets, however many pods come, and what is open counts on`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol(endpoints: [])
        var open: [(PlainSocket, PlainSocket)] = []
        for number in UInt8(2)...6 {
            let workload = world.workload(ProxyWorld.api(number), number, account: "server")
            try world.apply(.workloadUpserted(workload))
            try world.capture(workload.uid, number)
            let listener = try world.application(number)
            let client = try world.connect(to: SocketAddress(world.address(number), 8080))
            let server = try listener.accept()
            client.send([1])
            #expect(server.receive(1) == [1])
            try world.settled()
            // Each is named after itself: one label set at the source's end, one at the destination's.
            #expect(labelSets(world) == 2)
            try world.apply(.workloadRemoved(workload.uid))
            try world.test.on { world.proxy.podWithdrawn(workload.uid) }
            release(world)
            #expect(labelSets(world) == 0)
            open.append((client, server))
        }
        for (client, server) in open {
            client.send([2])
            #expect(server.receive(1) == [2])
            client.finish()
            server.finish()
            _ = (client.receiveAll(), server.receiveAll())
        }
        #expect(try world.finishedLog().count == 10)
        release(world)
        #expect(world.registry.metricFamilies().flatMap(\.samples).allSatisfy { $0.labels["source_workload"] == nil })
    }

    @Test func `is not how it failed, so that another of its name starts afresh`() {
        let load = EndpointLoad()
        let (left, stays) = (ProxyWorld.api(2), ProxyWorld.api(3))
        for _ in 0..<EndpointHealth.failureThreshold {
            load.failed(to: left)
            load.failed(to: stays)
        }
        #expect(load.isEjected(left) && load.isEjected(stays))
        load.forget { $0 == left }
        #expect(!load.isEjected(left) && load.isEjected(stays))
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `is forgotten when an update takes it out of the mesh`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let uid = ProxyWorld.api(2)
        let proxy = world.proxy
        func fail() throws {
            try world.test.on {
                proxy.load.now = proxy.now
                for _ in 0..<EndpointHealth.failureThreshold { proxy.load.failed(to: uid) }
            }
        }
        try fail()
        // An update that leaves it in place changes nothing.
        try world.apply(.workloadUpserted(world.workload(ProxyWorld.api(3), 3, account: "server")))
        #expect(try world.test.on { proxy.load.isEjected(uid) })
        try world.apply(.workloadRemoved(uid))
        #expect(try world.test.on { !proxy.load.isEjected(uid) })
    }
}
