import Addressing
import DataPlaneTestSupport
import Dispatch
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing
import Transport

@testable import Proxy

/// A loop of a worker that has two: it serves one pod, at listeners that no other loop has, so that the test says who
/// accepts.
private final class Half: @unchecked Sendable {
    // @unchecked: `proxy` is touched on the loop only.
    let test: TestLoop
    let proxy: ProxyLoop
    private let hbone: PlainListener
    private let others: [PlainListener]

    static let pod = WorkloadUID("Kubernetes//Pod/shop/api")

    init(_ index: Int, _ balance: LoopBalance) throws {
        let test = try TestLoop()
        let registry = MetricRegistry()
        let journal = ConnectionJournal(
            metrics: ConnectionMetrics(registry: registry), agentMetrics: AgentMetrics(registry: registry),
            log: AccessLogRing(capacity: 256) {}, refusals: RefusalRing(capacity: 16)
        ) { _ in }
        let proxy = try test.on {
            ProxyLoop(
                index: index, loop: test.loop, journal: journal, wallClock: { WallClock.secondsSince1970 },
                limits: LimitLedger(memoryInBytes: 1 << 30), balance: balance
            ) { _, _, _ in }
        }
        self.test = test
        self.proxy = proxy
        hbone = try PlainListener()
        others = [try PlainListener(), try PlainListener()]
        let workload = Workload(
            uid: Self.pod, name: "api", namespace: "shop", serviceAccount: "server", trustDomain: Certificates.mesh,
            node: "node", addresses: [hbone.address.ip], tunnelProtocol: .hbone, services: [:])
        try test.on {
            try proxy.identities.update(Certificates.server)
            proxy.identities.update(try Certificates.bundles())
            var snapshot = MeshSnapshot()
            snapshot.apply(.workloadUpserted(workload))
            proxy.update(snapshot)
        }
    }

    func enrol() throws {
        let (proxy, hbone, others) = (proxy, hbone, others)
        try test.on {
            proxy.podEnrolled(
                Self.pod, outbound: try others[0].makeDescriptor(), inboundPlaintext: try others[1].makeDescriptor(),
                hbone: try hbone.makeDescriptor())
        }
    }

    /// A peer that begins a tunnel and says nothing yet.
    func connect() throws -> PlainSocket { try PlainSocket(connectedTo: hbone.address) }

    var tunnelCount: Int {
        get throws { try test.on { [proxy] in proxy.inboundTunnels.count } }
    }
}

@Suite struct `What one loop accepts` {
    private let balance = LoopBalance()
    private let first: Half
    private let second: Half

    init() throws {
        first = try Half(0, balance)
        second = try Half(1, balance)
    }

    private func end() {
        first.test.end()
        second.test.end()
    }

    @Test func `is served by the loop that has least, so that both have the same`() throws {
        defer { end() }
        try first.enrol()
        try second.enrol()
        let peers = try (0..<10).map { _ in try first.connect() }
        for half in [first, second] {
            try half.test.wait(for: "five tunnels") { [proxy = half.proxy] in proxy.inboundTunnels.count == 5 }
        }
        for half in [first, second] {
            try half.test.on {
                #expect(half.proxy.seat.count(.tunnels) == 5)
                #expect(half.proxy.seat.count(.connections) == 0)
            }
        }
        for peer in peers { peer.close() }
        for half in [first, second] {
            try half.test.wait(for: "their ends") { [proxy = half.proxy] in proxy.seat.count(.tunnels) == 0 }
        }
    }

    @Test func `comes back from a loop that does not serve the pod`() throws {
        defer { end() }
        try first.enrol()
        let peers = try (0..<5).map { _ in try first.connect() }
        try first.test.wait(for: "all of them") { [proxy = first.proxy] in proxy.inboundTunnels.count == 5 }
        #expect(try second.tunnelCount == 0)
        #expect(second.proxy.seat.count(.tunnels) == 0)
        withExtendedLifetime(peers) {}
    }

    @Test func `comes back from a loop that drains, and is waited for by one that drains`() throws {
        defer { end() }
        try first.enrol()
        try second.enrol()
        let staying = try first.connect()
        try first.test.wait(for: "the first one") { [proxy = first.proxy] in proxy.inboundTunnels.count == 1 }
        let isHeld = DispatchSemaphore(value: 0)
        second.test.loop.post { [second] in
            isHeld.wait()
            second.proxy.drain {}
        }
        let moving = try first.connect()
        try first.test.wait(for: "the other to be on its way") { [second] in second.proxy.seat.count(.tunnels) == 1 }
        var isDrained = false
        try first.test.on { [proxy = first.proxy] in
            proxy.inboundTunnels.shutDown()
            proxy.drain { isDrained = true }
        }
        try first.test.on { #expect(!isDrained) }
        isHeld.signal()
        try first.test.wait(for: "it to be back") { [proxy = first.proxy] in proxy.inboundTunnels.count == 1 }
        try first.test.on { #expect(!isDrained) }
        moving.close()
        try first.test.wait(for: "the end of the drain") { isDrained }
        withExtendedLifetime(staying) {}
    }
}

@Suite struct `The balance of loops` {
    @Test(arguments: [2, 4])
    func `keeps them even whoever accepts, and moves no more than it must`(count: Int) throws {
        let balance = LoopBalance()
        let loop = try EventLoop()
        let seats = (0..<count).map { _ in balance.join(loop) }
        for _ in 0..<8000 { (balance.better(than: seats[0], for: .connections) ?? seats[0]).add(1, .connections) }
        let counts = seats.map { $0.count(.connections) }
        let (least, most) = (try #require(counts.min()), try #require(counts.max()))
        #expect(counts.reduce(0, +) == 8000)
        #expect(most <= least + least / 8 + 3)
        #expect(seats.allSatisfy { $0.count(.tunnels) == 0 })
    }

    @Test func `leaves single connections where they are`() throws {
        let balance = LoopBalance()
        let loop = try EventLoop()
        let seats = (0..<2).map { _ in balance.join(loop) }
        for open in 0...2 {
            #expect(balance.better(than: seats[0], for: .connections) == nil, "with \(open) open")
            seats[0].add(1, .connections)
        }
        #expect(balance.better(than: seats[0], for: .connections) === seats[1])
        #expect(balance.better(than: seats[1], for: .connections) == nil)
    }
}
