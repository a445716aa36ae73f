package import Addressing
internal import Identity
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
    private let index: UInt64
    private let order: (WorkloadUID, IPAddress.Family, Int) -> Void
    private(set) var snapshot = MeshSnapshot()
    private var pods: [WorkloadUID: LocalPod] = [:]
    private var connections: [UInt64: any ProxiedConnection] = [:]
    private var connectionCount: UInt64 = 0
    private var enrolmentCount: UInt64 = 0
    private var isDraining = false
    private var generator = SystemRandomNumberGenerator()
    /// Pods that were withdrawn and may still have connections.
    private var withdrawn: Set<WorkloadUID> = []
    private var onDrained: (() -> Void)?
    var load = EndpointLoad()

    /// - Parameters:
    ///   - index: the loop's number, part of its connections' identifiers.
    ///   - wallClock: seconds since 1970, for certificates and records.
    ///   - patience: how long a pod's own record and certificate may lag its first packet.
    ///   - orderSockets: asks the keeper for more sockets of a pod; they come by `socketsArrived`.
    package init(
        index: Int, loop: EventLoop, journal: ConnectionJournal, wallClock: @escaping () -> Int64,
        patience: Duration = .seconds(5),
        orderSockets: @escaping (WorkloadUID, IPAddress.Family, Int) -> Void
    ) {
        self.index = UInt64(index)
        self.loop = loop
        self.journal = journal
        self.wallClock = wallClock
        self.patience = patience
        order = orderSockets
        resources = LoopResources(loop: loop)
        identities = LoopIdentities()
        tunnels = TunnelPool(resources: resources, identities: identities, wallClock: wallClock)
        inboundTunnels = InboundTunnels(
            acceptor: TunnelAcceptor(resources: resources, identities: identities, wallClock: wallClock))
        inboundTunnels.proxy = self
        tunnels.onLinkEnded = { [unowned self] in tunnelEnded() }
    }

    var now: ContinuousClock.Instant { loop.now }

    var moment: Moment { Moment(instant: loop.now, secondsSince1970: wallClock()) }

    func hostname(of service: NamespacedName?) -> String? {
        service.flatMap { snapshot.service($0)?.hostname }
    }

    // MARK: Pods

    /// The keeper captured a pod: its three listeners. A pod that is known already is replaced.
    package func podEnrolled(
        _ uid: WorkloadUID, outbound: consuming Descriptor, inboundPlaintext: consuming Descriptor,
        hbone: consuming Descriptor
    ) {
        podWithdrawn(uid)
        guard !isDraining else { return }
        enrolmentCount += 1
        let stock = SocketStock { [order] family, count in order(uid, family, count) }
        let pod = LocalPod(uid: uid, enrolment: enrolmentCount, stock: stock, proxy: self)
        pods[uid] = pod
        pod.start(outbound: outbound, inboundPlaintext: inboundPlaintext, hbone: hbone)
    }

    /// The pod is captured no more; its connections run on, and its tunnels take no new ones.
    package func podWithdrawn(_ uid: WorkloadUID) {
        guard let pod = pods.removeValue(forKey: uid) else { return }
        withdrawn.insert(uid)
        pod.close()
        pod.stock.close(errorNumber: SystemError.badDescriptor)
        pod.stock.empty()
        tunnels.drain(from: pod.stock)
        inboundTunnels.drain(enrolment: pod.enrolment)
    }

    /// The keeper is gone: the listeners are closed at once, or the next keeper could not open its own, and there
    /// will be no more sockets.
    package func keeperLost() {
        isDraining = true
        for pod in pods.values {
            pod.close()
            pod.stock.close(errorNumber: SystemError.badDescriptor)
        }
    }

    /// Sockets that were ordered; the loop owns them now.
    package func socketsArrived(_ uid: WorkloadUID, _ family: IPAddress.Family, _ sockets: [Int32]) {
        guard let pod = pods[uid] else {
            for raw in sockets { _ = Descriptor(owning: raw) }
            return
        }
        pod.stock.arrived(family, sockets)
    }

    /// The keeper could make none.
    package func socketsRefused(_ uid: WorkloadUID, _ family: IPAddress.Family, errorNumber: Int32) {
        pods[uid]?.stock.refused(family, errorNumber: errorNumber)
    }

    func pod(_ uid: WorkloadUID) -> LocalPod? { pods[uid] }

    /// Pods that this loop serves.
    package var podCount: Int { pods.count }

    // MARK: State

    /// A new state of the mesh: pods find their records, and every connection is judged again if the answer may be
    /// another.
    package func update(_ snapshot: MeshSnapshot) {
        let old = self.snapshot
        self.snapshot = snapshot
        for pod in pods.values { pod.refresh() }
        if mayJudgeOtherwise(than: old) {
            for connection in Array(connections.values) { connection.reevaluate() }
        }
        withdrawn = withdrawn.filter { snapshot.workload($0) != nil }
    }

    /// A verdict depends on what the connection is, which stays, on the policies, and on which of them the pod names.
    private func mayJudgeOtherwise(than old: MeshSnapshot) -> Bool {
        if !snapshot.hasSamePolicies(as: old) { return true }
        func isOther(_ uid: WorkloadUID) -> Bool {
            let (before, after) = (old.workload(uid), snapshot.workload(uid))
            return before?.policies != after?.policies || before?.namespace != after?.namespace
        }
        return pods.keys.contains(where: isOther) || withdrawn.contains(where: isOther)
    }

    /// New certificates or bundles were put into `identities`.
    package func identitiesChanged() {
        for pod in pods.values { pod.refresh() }
    }

    func route(to destination: OriginalDestination, from source: Workload, excluding tried: Set<WorkloadUID>) -> Route {
        load.now = now
        return Router.route(
            destination, from: source, in: snapshot, load: load, randomBits: generator.next(), excluding: tried)
    }

    func judge(_ facts: ConnectionFacts, at workload: Workload) -> Verdict {
        Authorizer.decide(facts, policies: snapshot.policies(for: workload))
    }

    /// As `judge`, counted: for a connection that begins.
    func decide(_ facts: ConnectionFacts, at workload: Workload) -> Verdict {
        let verdict = judge(facts, at: workload)
        journal.decided(verdict)
        return verdict
    }

    // MARK: Connections

    func nextConnectionID() -> UInt64 {
        connectionCount &+= 1
        return index << 56 | connectionCount & 0x00ff_ffff_ffff_ffff
    }

    func begin(_ connection: any ProxiedConnection) {
        connections[connection.id] = connection
    }

    func ended(_ connection: any ProxiedConnection) {
        connections[connection.id] = nil
        finishDrainIfEmpty()
    }

    /// Connections that are open or on the way, for tests.
    var currentCount: Int { connections.count }

    /// The same themselves, for tests.
    var allConnections: [any ProxiedConnection] { Array(connections.values) }

    /// Adds to the metrics what open connections carried since the last time.
    package func countBytes() {
        for connection in connections.values { connection.countBytes() }
    }

    /// The open connections, as of now.
    package var openConnections: [ConnectionRecord] {
        connections.values.filter(\.isOpen).map(\.current)
    }

    // MARK: Drain

    /// Accepts no more, tells every peer, lets what runs run on; `done` is called when nothing runs any more.
    package func drain(_ done: @escaping () -> Void) {
        onDrained = done
        isDraining = true
        for pod in pods.values { pod.close() }
        tunnels.drain()
        inboundTunnels.drain()
        finishDrainIfEmpty()
    }

    /// Ends what still runs.
    package func shutDown() {
        for connection in Array(connections.values) { connection.close(.drain, "the agent's drain deadline passed") }
    }

    func tunnelEnded() { finishDrainIfEmpty() }

    private func finishDrainIfEmpty() {
        // Without connections a tunnel may still hold their last bytes; it ends when they are out.
        guard let onDrained, connections.isEmpty, tunnels.isQuiet, inboundTunnels.isQuiet else { return }
        self.onDrained = nil
        onDrained()
    }
}
