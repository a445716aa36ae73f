import Addressing
import DataPlaneTestSupport
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `A connection is refused for a limit` {
    private func limit(_ world: ProxyWorld, _ limits: ConnectionLimits) throws {
        try world.apply(.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(limits: limits)))
    }

    /// A connection that is open at both ends.
    private func open(_ world: ProxyWorld, _ listener: PlainListener) throws -> (PlainSocket, PlainSocket) {
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        let server = try listener.accept()
        client.send([1])
        #expect(server.receive(1) == [1])
        return (client, server)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `LIMIT_CONNECTIONS until one ends, and those that are open run on`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let first = try open(world, listener)
        let second = try open(world, listener)
        // Below what is open already: nothing is closed for it.
        try limit(world, ConnectionLimits(connectionsPerWorkload: 1))
        let refused = try world.connectInPlaintext()
        #expect(refused.receiveAll().end == .reset)
        #expect(try world.refusal(.inbound, .limitConnections).detail?.contains("may have 1 connections") == true)
        let leaving = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(leaving.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .limitConnections).source.workload == ProxyWorld.web)
        for (client, server) in [first, second] {
            client.send([2])
            #expect(server.receive(1) == [2])
            client.finish()
            server.finish()
            _ = (client.receiveAll(), server.receiveAll())
        }
        _ = try world.finishedLog()
        _ = try open(world, listener)
        #expect(world.limits.account(of: ProxyWorld.api(2)).openCount == 1)
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `LIMIT_RATE beyond what a second may bring`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        try limit(world, ConnectionLimits(newConnectionsPerSecond: 1))
        // Four at once; no more than one of them, and what the time between them refills, may pass.
        let clients = try (0..<4).map { _ in try world.connectInPlaintext() }
        _ = try world.refusal(.inbound, .limitRate)
        withExtendedLifetime((clients, listener)) {}
    }

    @Test(arguments: ProxyWorld.Way.allCases)
    func `LIMIT_STREAMS for a peer that has as many as it may, and not for another`(way: ProxyWorld.Way) throws {
        let world = try ProxyWorld(way)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        try limit(world, ConnectionLimits(streamsPerPeer: 2))
        let opened = try (0..<2).map { _ in try open(world, listener) }
        let client = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(client.receiveAll().end == .reset)
        let record = try world.refusal(.inbound, .limitStreams)
        #expect(record.source.identity == Certificates.client.identity)
        // Plaintext is no stream of a peer's.
        let plain = try world.connectInPlaintext()
        let server = try listener.accept()
        plain.send([7])
        #expect(server.receive(1) == [7])
        withExtendedLifetime(opened) {}
    }

    @Test func `LIMIT_MEMORY while the budget is used up, and what runs runs on`() throws {
        let world = try ProxyWorld(memoryInBytes: 64 << 20)
        defer { world.end() }
        try world.enrol()
        let listener = try world.application()
        let (client, server) = try open(world, listener)
        #expect(world.limits.memory.usedInBytes > 0)
        let shown = world.limits.metricFamilies().map { ($0.name, $0.samples.first?.value) }
        #expect(shown.first?.1 == .number(Double(world.limits.memory.usedInBytes)))
        #expect(shown.last?.0 == "meshnode_connection_memory_limit_bytes" && shown.last?.1 == .number(67_108_864))
        // Another loop of the worker takes it all.
        var other = MemoryShare(of: world.limits.memory)
        other.uses(64 << 20)
        let refused = try world.connect(to: SocketAddress(world.address(2), 8080))
        #expect(refused.receiveAll().end == .reset)
        #expect(try world.refusal(.outbound, .limitMemory).detail?.contains("64 MiB") == true)
        let tunnel = try PlainSocket(connectedTo: SocketAddress(world.address(2), MeshPorts.hbone))
        #expect(tunnel.receiveAll().end == .reset)
        let plain = try world.connectInPlaintext()
        #expect(plain.receiveAll().end == .reset)
        try world.test.wait(for: "both refusals") {
            world.refusals.latest.count { $0.direction == .inbound && $0.reason == .limitMemory } == 2
        }
        client.send([2])
        #expect(server.receive(1) == [2])
        other.uses(0)
        _ = try open(world, listener)
    }
}

@Suite struct `What a workload has open` {
    private let now = ContinuousClock.now

    private func admit(
        _ account: WorkloadAccount, _ limits: ConnectionLimits, after: Duration = .zero, peer: SPIFFEID? = nil
    ) -> Result<Admission, LimitReached> {
        account.admit(limits, peer: peer, at: now.advanced(by: after))
    }

    private func reached(_ result: Result<Admission, LimitReached>) -> Reason? {
        if case .failure(let reached) = result { reached.reason } else { nil }
    }

    @Test func `counts what is refused neither as open nor as a stream`() throws {
        let account = WorkloadAccount()
        let limits = ConnectionLimits(connectionsPerWorkload: 2, streamsPerPeer: 1)
        let peer = Certificates.client.identity
        let first = try admit(account, limits, peer: peer).get()
        #expect(reached(admit(account, limits, peer: peer)) == .limitStreams)
        #expect(account.openCount == 1)
        _ = try admit(account, limits, peer: Certificates.other.identity).get()
        #expect(reached(admit(account, limits)) == .limitConnections)
        first.leave()
        _ = try admit(account, limits, peer: peer).get()
    }

    @Test func `lets a second's worth come at once, and refills with time`() {
        let account = WorkloadAccount()
        let limits = ConnectionLimits(newConnectionsPerSecond: 10)
        for _ in 0..<10 { #expect(reached(admit(account, limits)) == nil) }
        #expect(reached(admit(account, limits)) == .limitRate)
        #expect(reached(admit(account, limits, after: .milliseconds(99))) == .limitRate)
        #expect(reached(admit(account, limits, after: .milliseconds(101))) == nil)
        #expect(reached(admit(account, limits, after: .milliseconds(102))) == .limitRate)
        // Another limit is another bucket.
        let other = ConnectionLimits(newConnectionsPerSecond: 20)
        #expect(reached(admit(account, other, after: .milliseconds(102))) == nil)
    }

    @Test func `is one account for all loops until the pod is gone`() {
        let ledger = LimitLedger(memoryInBytes: 1)
        let uid = ProxyWorld.web
        #expect(ledger.account(of: uid) === ledger.account(of: uid))
        let old = ledger.account(of: uid)
        ledger.forget(uid, old)
        let new = ledger.account(of: uid)
        #expect(new !== old)
        // A loop that lags does not take away what the others have agreed on.
        ledger.forget(uid, old)
        #expect(ledger.account(of: uid) === new)
    }

    @Test func `takes memory as long as its loop says so`() {
        let budget = MemoryBudget(limitInBytes: 100)
        do {
            var one = MemoryShare(of: budget)
            var other = MemoryShare(of: budget)
            one.uses(60)
            other.uses(30)
            #expect(!budget.isSpent)
            one.uses(70)
            #expect(budget.isSpent)
            one.uses(10)
            #expect(budget.usedInBytes == 40)
        }
        #expect(budget.usedInBytes == 0)
    }
}
