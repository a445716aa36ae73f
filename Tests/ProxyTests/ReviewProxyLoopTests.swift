import Addressing
import DataPlaneTestSupport
import Kernel
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// Counts how often it is judged again.
private final class Judged: ProxiedConnection {
    let id: UInt64 = 1
    let isOpen = false
    var count = 0

    var current: ConnectionRecord {
        ConnectionRecord(
            id: id, direction: .inbound, security: .plaintext, source: PeerFacts(), destination: PeerFacts(),
            openedAt: Moment(instant: .now, secondsSince1970: 0))
    }

    func countBytes() {}
    func reevaluate() { count += 1 }
    func close(_ reason: Reason, _ detail: String) {}
}

/// A proxy on a loop of its own, with real listeners for a pod.
private final class Scene: @unchecked Sendable {
    // @unchecked: all but `test` and `addresses` is touched on the loop only.
    let test: TestLoop
    let proxy: ProxyLoop
    var addresses: [SocketAddress] = []
    let pod = WorkloadUID("pod")

    init() throws {
        let test = try TestLoop()
        let registry = MetricRegistry()
        let journal = ConnectionJournal(
            metrics: ConnectionMetrics(registry: registry), agentMetrics: AgentMetrics(registry: registry),
            log: AccessLogRing(capacity: 8) {}, refusals: RefusalRing(capacity: 8)
        ) { _ in }
        self.test = test
        proxy = ProxyLoop(
            index: 0, loop: test.loop, journal: journal, wallClock: { 0 }, limits: LimitLedger(memoryInBytes: 1 << 30)
        ) { _, _, _ in }
    }

    func workload(_ name: String, policies: [NamespacedName] = []) -> Workload {
        Workload(
            uid: WorkloadUID(name), name: name, namespace: "shop", trustDomain: Certificates.mesh, addresses: [],
            policies: policies)
    }

    func enrol() throws {
        var listeners: [Int32] = []
        for _ in 0..<3 {
            let socket = try TCPSocket.make(.v4)
            try socket.bind(to: socketAddress("127.0.0.1:0"))
            try socket.listen(backlog: 8)
            let address = socket.localAddress()
            addresses.append(try #require(address))
            listeners.append(try socket.descriptor.duplicate().release())
        }
        proxy.podEnrolled(
            pod, outbound: Descriptor(owning: listeners[0]), inboundPlaintext: Descriptor(owning: listeners[1]),
            hbone: Descriptor(owning: listeners[2]))
    }

    /// Whether somebody listens at each of the pod's ports.
    var areListening: [Bool] {
        addresses.map { address in (try? PlainSocket(connectedTo: address)) != nil }
    }
}

@Suite struct `The data path of a loop` {
    @Test func `workers that begin in one second number their connections apart, and upwards`() throws {
        let scenes = try (0..<8).map { _ in try Scene() }
        let ids = try scenes.map { scene in
            try scene.test.on { [scene.proxy.nextConnectionID(), scene.proxy.nextConnectionID()] }
        }
        #expect(Set(ids.flatMap { $0 }).count == 16)
        // What is left of the second's numbers is half of them.
        for pair in ids { #expect(pair[1] == pair[0] + 1 && pair[1] < 1 << 23 + 2) }
    }

    @Test func `judges connections again only if the policies or the pod's own list changed`() throws {
        let scene = try Scene()
        let connection = Judged()
        let deny = NamespacedName(namespace: "shop", name: "deny")
        let counts = try scene.test.on {
            var counts: [Int] = []
            var snapshot = MeshSnapshot()
            func apply(_ change: MeshChange) {
                snapshot.apply(change)
                scene.proxy.update(snapshot)
                counts.append(connection.count)
            }
            try scene.enrol()
            apply(.workloadUpserted(scene.workload("pod")))
            scene.proxy.begin(connection)
            apply(.workloadUpserted(scene.workload("other")))
            apply(.policyUpserted(AuthorizationPolicy(name: deny, scope: .workload, action: .deny, rules: [])))
            apply(.workloadUpserted(scene.workload("pod", policies: [deny])))
            apply(.workloadUpserted(scene.workload("other", policies: [deny])))
            scene.proxy.podWithdrawn(scene.pod)
            apply(.workloadUpserted(scene.workload("pod")))
            apply(.workloadRemoved(scene.pod))
            apply(.workloadRemoved(WorkloadUID("other")))
            return counts
        }
        #expect(counts == [0, 0, 1, 2, 2, 3, 4, 4])
        scene.test.end()
    }

    @Test func `closes every listener when the keeper is gone, and serves no pod after it`() throws {
        let scene = try Scene()
        try scene.test.on { try scene.enrol() }
        #expect(scene.areListening == [true, true, true])
        try scene.test.on {
            scene.proxy.keeperLost()
            try scene.enrol()
        }
        #expect(scene.areListening == Array(repeating: false, count: 6))
        scene.test.end()
    }

    @Test func `closes the listeners of a pod that is enrolled again or withdrawn`() throws {
        let scene = try Scene()
        try scene.test.on {
            try scene.enrol()
            try scene.enrol()
        }
        #expect(scene.areListening == [false, false, false, true, true, true])
        try scene.test.on { scene.proxy.podWithdrawn(scene.pod) }
        #expect(scene.areListening == Array(repeating: false, count: 6))
        scene.test.end()
    }
}
