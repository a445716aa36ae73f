import Addressing
import DataPlaneTestSupport
import Identity
import Kernel
import Mesh
import Synchronization
import Telemetry
import TestSupport
import Testing
import Transport

@testable import Proxy

/// One node with one loop: the pod `web`, who calls, and pods `api-...`, who are called, with real sockets between them
/// and all. Each world has loopback addresses of its own, as the HBONE port is the same for everybody.
final class ProxyWorld: @unchecked Sendable {
    // @unchecked: `proxy` and what it leads to are touched on the loop only.
    let test: TestLoop
    let proxy: ProxyLoop
    let refusals = RefusalRing(capacity: 256)
    let log = AccessLogRing(capacity: 8192) {}
    let registry = MetricRegistry()
    let metrics: ConnectionMetrics
    let limits: LimitLedger
    /// What is added to the wall clock, in seconds. Touched on the loop only.
    var clockSkew: Int64 = 0
    /// The keeper has no sockets to give.
    var isOutOfSockets = false
    let journal: ConnectionJournal
    var snapshot: MeshSnapshot
    private let way: Way
    private let network: (UInt8, UInt8)

    static let web = WorkloadUID("Kubernetes//Pod/shop/web")
    static let service = NamespacedName(namespace: "shop", name: "api")
    static let servicePort: UInt16 = 80

    /// How `web` gets to the others.
    enum Way: CaseIterable {
        /// As between two nodes, although one loop has both ends.
        case tunnel
        /// As within one node.
        case sameNode
    }

    /// - Parameters:
    ///   - way: how `web` gets to the others.
    ///   - other: has the same addresses, as one worker of a node has beside the next.
    init(
        _ way: Way = .tunnel, beside other: ProxyWorld? = nil, patience: Duration = .seconds(5),
        settings: ProxySettings = ProxySettings(),
        memoryInBytes: Int = 1 << 30, hasCertificates: Bool = true
    ) throws {
        self.way = way
        network = other?.network ?? Self.nextNetwork()
        let test = try TestLoop()
        let limits = LimitLedger(memoryInBytes: memoryInBytes)
        let metrics = ConnectionMetrics(registry: registry)
        let journal = ConnectionJournal(
            metrics: metrics, agentMetrics: AgentMetrics(registry: registry), log: log,
            refusals: refusals
        ) { _ in }
        var order: (WorkloadUID, Int) -> Void = { _, _ in }
        var skew: () -> Int64 = { 0 }
        let proxy = try test.on {
            ProxyLoop(
                index: 0, loop: test.loop, journal: journal, wallClock: { WallClock.secondsSince1970 + skew() },
                patience: patience, settings: settings, limits: limits
            ) { uid, _, count in order(uid, count) }
        }
        self.limits = limits
        self.metrics = metrics
        self.test = test
        self.journal = journal
        self.proxy = proxy
        snapshot = MeshSnapshot()
        skew = { [unowned self] in clockSkew }
        order = { [unowned self] uid, count in
            guard !isOutOfSockets else { return }
            proxy.socketsArrived(uid, .v4, (0..<count).map { _ in PlainSocket.makeUnconnected() })
        }
        if hasCertificates { try installCertificates() }
    }

    private static let networks = Atomic(UInt32.random(in: 0..<64_000))

    /// One that no other world of this process has, and hardly one of another process.
    private static func nextNetwork() -> (UInt8, UInt8) {
        let number = networks.wrappingAdd(1, ordering: .relaxed).newValue % 64_000
        return (UInt8(number / 254 + 1), UInt8(number % 254))
    }

    func end() { test.end() }

    func installCertificates() throws {
        try install(try Certificates.bundles())
        for svid in [Certificates.client, Certificates.server] { try install(svid) }
    }

    func install(_ svid: SVID) throws {
        let proxy = proxy
        try test.on {
            try proxy.identities.update(svid)
            proxy.identitiesChanged()
        }
    }

    func install(_ bundles: TrustBundles) throws {
        let proxy = proxy
        try test.on {
            proxy.identities.update(bundles)
            proxy.identitiesChanged()
        }
    }

    /// What `meshnode_...` says now for the series with these labels; nil if there is none.
    func metric(_ name: String, _ labels: [String: String] = [:]) -> MetricFamily.Value? {
        registry.metricFamilies().first { $0.name == name }?.samples.first { sample in
            labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }?.value
    }

    // MARK: The mesh

    /// 1 is `web`, 2 and up are the endpoints, 100 is the service.
    func address(_ number: UInt8) -> IPAddress { ip("127.\(network.0).\(network.1).\(number)") }

    static func api(_ number: UInt8) -> WorkloadUID { WorkloadUID("Kubernetes//Pod/shop/api-\(number)") }

    func workload(_ uid: WorkloadUID, _ number: UInt8, account: String, isEnrolled: Bool = true) -> Workload {
        Workload(
            uid: uid, name: uid.text, namespace: "shop", serviceAccount: account, trustDomain: Certificates.mesh,
            node: number == 1 && way == .tunnel ? "elsewhere" : "node", addresses: [address(number)],
            tunnelProtocol: isEnrolled ? .hbone : .none,
            services: number == 1 ? [:] : [Self.service: [PortMapping(servicePort: Self.servicePort, targetPort: 8080)]]
        )
    }

    func apply(_ changes: MeshChange...) throws {
        snapshot.apply(contentsOf: changes)
        let (proxy, snapshot) = (proxy, snapshot)
        try test.on { proxy.update(snapshot) }
    }

    /// The pods of the mesh, captured.
    func enrol(endpoints: [UInt8] = [2], policies: [AuthorizationPolicy] = []) throws {
        let service = Service(
            name: Self.service, hostname: "api.shop.svc.cluster.local", addresses: [IPPrefix(address(100))],
            ports: [ServicePort(port: Self.servicePort)])
        snapshot.apply(.serviceUpserted(service))
        for policy in policies { snapshot.apply(.policyUpserted(policy)) }
        try apply(.workloadUpserted(workload(Self.web, 1, account: "client")))
        try capture(Self.web, 1)
        for number in endpoints {
            try apply(.workloadUpserted(workload(Self.api(number), number, account: "server")))
            try capture(Self.api(number), number)
        }
    }

    /// - Parameter hbone: a listener that the pod has already; nil makes one.
    func capture(_ uid: WorkloadUID, _ number: UInt8, hbone: PlainListener? = nil) throws {
        let proxy = proxy
        let (outbound, inbound) = (try PlainListener(), try PlainListener())
        let hbone = try hbone ?? PlainListener(SocketAddress(address(number), MeshPorts.hbone))
        try test.on {
            proxy.podEnrolled(
                uid, outbound: try outbound.makeDescriptor(), inboundPlaintext: try inbound.makeDescriptor(),
                hbone: try hbone.makeDescriptor())
        }
    }

    /// Where the endpoint's application listens.
    func application(_ number: UInt8 = 2, port: UInt16 = 8080, backlog: Int32 = 256) throws -> PlainListener {
        try PlainListener(SocketAddress(address(number), port), backlog: backlog)
    }

    // MARK: Connections

    /// `web` connects to `destination`; its end.
    ///
    /// - Parameters:
    ///   - said: what it has said, with FIN behind it, before it is accepted; nil for nothing yet.
    ///   - then: done on the loop before it does anything else.
    func connect(
        to destination: SocketAddress, saying said: [UInt8]? = nil, then: @escaping () -> Void = {}
    ) throws -> PlainSocket {
        let listener = try PlainListener()
        let app = try PlainSocket(connectedTo: listener.address)
        if let said {
            app.send(said)
            app.finish()
        }
        let near = try listener.acceptNonblocking()
        let (proxy, source) = (proxy, SocketAddress(address(1), 40_000))
        try test.on {
            let pod = try #require(proxy.pod(Self.web))
            let client = StreamSocket(
                accepted: .init(number: near), resources: proxy.resources)
            let connection = OutboundConnection(
                client: client, clientAddress: ClientAddress(source), destination: OriginalDestination(destination),
                pod: pod, proxy: proxy)
            proxy.begin(connection)
            connection.start()
            then()
        }
        return app
    }

    /// Somebody without a mesh connects to the endpoint; its end.
    func connectInPlaintext(to number: UInt8 = 2, port: UInt16 = 8080) throws -> PlainSocket {
        let listener = try PlainListener()
        let app = try PlainSocket(connectedTo: listener.address)
        let near = try listener.acceptNonblocking()
        let (proxy, client) = (proxy, SocketAddress(address(50), 40_000))
        let destination = SocketAddress(address(number), port)
        try test.on {
            let pod = try #require(proxy.pod(Self.api(number)))
            let socket = StreamSocket(
                accepted: .init(number: near), resources: proxy.resources)
            let connection = InboundPlaintextConnection(
                client: socket, clientAddress: ClientAddress(client), destination: OriginalDestination(destination),
                pod: pod, proxy: proxy)
            proxy.begin(connection)
            connection.start()
        }
        return app
    }

    /// Waits for a refusal that `direction` reports with `reason`.
    func refusal(_ direction: ConnectionRecord.Direction, _ reason: Reason) throws -> ConnectionRecord {
        func find() -> ConnectionRecord? {
            refusals.latest.first { $0.direction == direction && $0.reason == reason }
        }
        try test.wait(for: "\(reason.rawValue) of \(direction)") { find() != nil }
        return try #require(find())
    }

    /// Waits for the refusal that `direction` reports, the only one.
    func refusal(_ direction: ConnectionRecord.Direction) throws -> ConnectionRecord {
        try test.wait(for: "the \(direction) refusal") { [refusals] in
            refusals.latest.contains { $0.direction == direction }
        }
        let found = refusals.latest.filter { $0.direction == direction }
        #expect(found.count == 1)
        return try #require(found.first)
    }

    /// Waits until all that was begun is open at both ends: an application may have bytes before the client's end knows
    /// that it accepted.
    func settled() throws {
        try test.wait(for: "both ends to be open") { [proxy] in proxy.openConnections.count == proxy.currentCount }
    }

    /// Waits until nothing is open, and takes the log.
    func finishedLog() throws -> [ConnectionRecord] {
        let (proxy, journal) = (proxy, journal)
        try test.wait(for: "all connections to end") { proxy.currentCount == 0 && journal.total.open == 0 }
        return log.drain().records
    }
}

extension AuthorizationPolicy {
    /// Denies everybody, in namespace `shop`.
    static let denyAll = AuthorizationPolicy(
        name: NamespacedName(namespace: "shop", name: "deny-all"), scope: .namespace, action: .deny,
        rules: [AuthorizationRule(clauses: [])])
}
