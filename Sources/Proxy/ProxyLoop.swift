package import Addressing
package import Kernel
package import Mesh
package import Telemetry
package import Transport
internal import Tunnel

/// The data path of one event loop: the pods it serves, the connections it carries, and the state of the mesh that it
/// decides on. Loops share nothing: each has its own descriptors of every listener, its own sockets and its own
/// tunnels. State comes in as values, records go out as values.
///
/// Everything is called on the loop.
package final class ProxyLoop {
    package let loop: EventLoop
    package let resources: LoopResources
    package let identities: LoopIdentities
    let tunnels: TunnelPool
    let inboundTunnels: InboundTunnels
    let journal: ConnectionJournal
    let wallClock: () -> Int64
    /// How long a pod's own record and certificate may lag its first packet.
    let patience: Duration
    let settings: ProxySettings
    let limits: LimitLedger
    let balance: LoopBalance
    /// What this loop carries, as the others see it.
    let seat: LoopSeat
    private var memory: MemoryShare
    private let index: UInt64
    let order: (WorkloadUID, IPAddress.Family, Int) -> Void
    var snapshot = MeshSnapshot()
    var pods: [WorkloadUID: LocalPod] = [:]
    var connections = ConnectionSet()
    let patterns = RecordPatterns()
    /// Begins with the time, so that an id of a worker that has ended never names another connection, and goes on by
    /// chance, so that two nodes whose workers began in one second do not share ids: half of a second's numbers is left
    /// for those that are used up before the next second.
    private var connectionCount: UInt64
    var enrolmentCount: UInt64 = 0
    var isDraining = false
    var generator = FastGenerator(seed: .random(in: .min ... .max))
    /// Pods that were withdrawn and may still have connections.
    var withdrawn: Set<WorkloadUID> = []
    var onDrained: [() -> Void] = []
    var drainDeadline: DrainDeadline?
    /// Whose connections are under way to other loops, by number.
    var handedOver: [UInt64: LocalPod] = [:]
    private var handOverCount: UInt64 = 0
    /// As told to `seat`.
    private var toldConnections = 0
    private var toldTunnels = 0
    /// Since the socket stocks were asked to shrink.
    private var ticks = 0
    let load = EndpointLoad()

    /// - Parameters:
    ///   - index: the loop's number, part of its connections' identifiers.
    ///   - wallClock: seconds since 1970, for certificates and records.
    ///   - patience: how long a pod's own record and certificate may lag its first packet.
    ///   - settings: how long everything else may take.
    ///   - limits: the same for all loops of the worker.
    ///   - balance: the same for all loops of the worker.
    ///   - orderSockets: asks the keeper for more sockets of a pod; they come by `socketsArrived`.
    package init(
        index: Int, loop: EventLoop, journal: ConnectionJournal, wallClock: @escaping () -> Int64,
        patience: Duration = .seconds(5), settings: ProxySettings = ProxySettings(),
        limits: LimitLedger, balance: LoopBalance = LoopBalance(),
        orderSockets: @escaping (WorkloadUID, IPAddress.Family, Int) -> Void
    ) {
        self.index = UInt64(index)
        self.loop = loop
        self.journal = journal
        self.wallClock = wallClock
        self.patience = patience
        self.settings = settings
        self.limits = limits
        self.balance = balance
        seat = balance.join(loop)
        connectionCount = UInt64(clamping: wallClock()) << 24 | .random(in: 0..<1 << 23)
        memory = MemoryShare(of: limits.memory)
        order = orderSockets
        resources = LoopResources(loop: loop, windows: limits.windows)
        identities = LoopIdentities()
        tunnels = TunnelPool(
            resources: resources, identities: identities, grace: settings.distrusted, wallClock: wallClock)
        inboundTunnels = InboundTunnels(
            acceptor: TunnelAcceptor(
                resources: resources, identities: identities, grace: settings.distrusted,
                handshakes: settings.handshakes,
                resetBudgets: ResetBudgets(burst: settings.resetBurst, perSecond: settings.resetsPerSecond),
                wallClock: wallClock))
        inboundTunnels.proxy = self
        seat.taken(by: self)
        tunnels.onLinkEnded = { [unowned self] in tunnelEnded() }
        tunnels.onAbuse = { [journal] in journal.abused($0) }
    }

    var now: ContinuousClock.Instant { loop.now }

    var moment: Moment { Moment(instant: loop.now, secondsSince1970: wallClock()) }

    func hostname(of service: NamespacedName?) -> String? {
        service.flatMap { snapshot.service($0)?.hostname }
    }

    // MARK: Limits

    /// Takes in a connection to or from a pod of this loop, or says which limit it would break.
    func admit(to pod: LocalPod, _ workload: Workload, peer: SPIFFEID?) -> Result<Admission, LimitReached> {
        if let reached = memoryLimitReached { return .failure(LimitReached(.limitMemory, reached)) }
        return pod.limits.admit(snapshot.namespacePolicy(of: workload.namespace).limits, peer: peer, at: now)
    }

    /// The budget in bytes, if it is used up.
    var memoryLimitReached: Int? {
        tellMemory()
        return limits.memory.isSpent ? limits.memory.limitInBytes : nil
    }

    private func tellMemory() {
        memory.uses(
            resources.bufferByteCount + connections.count * MemoryBudget.connectionCost
                + (tunnels.count + inboundTunnels.count) * MemoryBudget.tunnelCost)
    }

    // MARK: Connections

    func nextConnectionID() -> UInt64 {
        connectionCount &+= 1
        return index << 56 | connectionCount & 0x00ff_ffff_ffff_ffff
    }

    func begin(_ connection: any ProxiedConnection) {
        connections.insert(connection)
        tellLoad()
    }

    func ended(_ connection: any ProxiedConnection) {
        connections.remove(connection)
        tellLoad()
        finishDrainIfEmpty()
    }

    /// The other loops see how many connections and tunnels there are here.
    func tellLoad() {
        seat.add(connections.count - toldConnections, .connections)
        toldConnections = connections.count
        seat.add(inboundTunnels.count - toldTunnels, .tunnels)
        toldTunnels = inboundTunnels.count
    }

    /// A connection of `pod` goes to another loop; its number.
    func handedOver(_ pod: LocalPod) -> UInt64 {
        handOverCount &+= 1
        handedOver[handOverCount] = pod
        return handOverCount
    }

    /// The other loop has answered; whose connection it was.
    func handOverAnswered(_ number: UInt64) -> LocalPod? { handedOver.removeValue(forKey: number) }

    /// Connections that are open or on the way, for tests.
    var currentCount: Int { connections.count }

    /// The same themselves, for tests.
    var allConnections: [any ProxiedConnection] { connections.all }

    /// Adds to the metrics what open connections carried since the last time, and puts away what is not needed any
    /// more. To be called every few seconds.
    package func countBytes() {
        connections.forEach { $0.countBytes() }
        resources.tidy()
        tellMemory()
        ticks += 1
        if ticks % Self.ticksPerShrinking == 0 { for pod in pods.values { pod.stock.shrink() } }
    }

    private static let ticksPerShrinking = 15

    /// The open connections, as of now.
    package var openConnections: [ConnectionRecord] {
        connections.all.filter(\.isOpen).map(\.current)
    }
}
