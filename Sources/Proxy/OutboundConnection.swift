internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport

/// A connection that left a captured pod: decides where it goes, opens the way, and relays.
///
///     routing ──tunnel──> opening ──200──> relaying ──> over
///        │                  │  └─ another endpoint, at most two more ─┐
///        ├──same node──> (probing ──>) joining ──> relaying           │
///        ├──plaintext──> connecting ──────────> relaying              │
///        └──refused──> over <─────────────────────────────────────────┘
///
/// The application's connect() has long succeeded; a refusal shows as a reset, and is told in the log, in the
/// metrics and by `meshnode connections`.
final class OutboundConnection: AccountedConnection, StreamSocketDelegate, RelayOwner, TimerHandler {
    enum Phase {
        case probing(AddressProbe)
        case opening(TunnelStream)
        case joining(SameNodeInbound)
        case connecting(SocketConnect)
        case relayingStream(StreamRelay)
        case relayingSameNode(SameNodeInbound)
        case relayingSocket(SocketRelay)
        case over
    }

    let client: StreamSocket
    let pod: LocalPod
    let proxy: ProxyLoop
    var phase = Phase.over
    /// Nil once it is open: it stays where it is then, with thousands of others.
    private(set) var opening: Opening? = Opening()
    var account: ConnectionAccount
    var isOver = false

    /// What is known while a way is being opened.
    final class Opening {
        /// Endpoints that were tried, the present one included.
        var tried: Set<WorkloadUID> = []
        /// What the client said before there was an answer.
        var early = EarlyBytes()
        /// Runs while a way into the mesh is being opened.
        fileprivate var timer: TimerID?
    }

    init(
        client: StreamSocket, clientAddress: ClientAddress, destination: OriginalDestination, pod: LocalPod,
        proxy: ProxyLoop
    ) {
        self.client = client
        self.pod = pod
        self.proxy = proxy
        account = ConnectionAccount(
            ConnectionRecord(
                id: proxy.nextConnectionID(), direction: .outbound, security: .plaintext,
                source: PeerFacts(address: clientAddress.address, workload: pod.workload, identity: nil),
                destination: PeerFacts(address: destination.address), openedAt: proxy.moment))
        account.requested(destination)
    }

    // What its account knows is not kept twice: thousands of connections are idle.

    /// Where the application meant to connect to.
    var destination: OriginalDestination { OriginalDestination(account.requested ?? SocketAddress(.unspecified, 0)) }

    /// The pod's address, as the connection came.
    var clientAddress: ClientAddress { ClientAddress(account.client ?? SocketAddress(.unspecified, 0)) }

    /// Whose connections are counted for the balance: where a tunnel leads, or would.
    var endpoint: WorkloadUID? { account.destinationWorkload }

    /// Routes the connection. Called once.
    func start() {
        do {
            try client.start(self)
        } catch {
            return refuse(.limitConnections, "no descriptor could be watched: \(error)")
        }
        guard let source = pod.workload else {
            return refuse(.unknownSource, "the controller has not told of \(pod.uid) yet")
        }
        account.routing(snapshotVersion: proxy.snapshot.version)
        if let refusal = admit(to: pod, source, peer: nil) { return refuse(refusal.reason, refusal.detail) }
        switch proxy.route(to: destination, from: source, excluding: []) {
        case .tunnel(let route): open(route, from: source)
        case .plaintext(let route): connect(route)
        case .refused(let reason, let detail):
            let service = proxy.snapshot.service(at: destination.address.ip, from: source.namespace)
            if let service { account.addressed(service) }
            refuse(reason, detail)
        }
    }

    // MARK: The time that a way into the mesh may take

    func startTimer() {
        guard let opening, opening.timer == nil else { return }
        opening.timer = proxy.loop.schedule(after: proxy.settings.opening, self)
    }

    private func stopTimer() {
        if let timer = opening?.timer { proxy.loop.cancel(timer) }
        opening?.timer = nil
    }

    /// The way is open; what the client said meanwhile.
    @discardableResult
    func opened() -> EarlyBytes {
        stopTimer()
        defer { opening = nil }
        return opening?.early ?? EarlyBytes()
    }

    func timerFired(at now: ContinuousClock.Instant) {
        opening?.timer = nil
        guard isOpening else { return }
        let detail = "no answer to the CONNECT within \(proxy.settings.opening)"
        giveUpOpening(.upstreamTimeout, detail)
        refuse(.upstreamTimeout, detail)
    }

    // MARK: The client while the way is being opened

    func socketConnected(_ socket: StreamSocket) {}
    func socketDrained(_ socket: StreamSocket, count: Int) {}

    func socketReadable(_ socket: StreamSocket) {
        if case .opening(let stream) = phase, takeEarly() { sendEarly(on: stream) }
    }

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) { clientBroke() }

    func clientBroke() {
        let detail = "the client reset the connection before it was open"
        giveUpOpening(.peerReset, detail)
        refuse(.peerReset, detail)
    }

    // MARK: Ends

    private var isOpening: Bool {
        switch phase {
        case .probing, .opening, .joining, .connecting: true
        case .relayingStream, .relayingSameNode, .relayingSocket, .over: false
        }
    }

    /// Whatever is on its way to the destination is not wanted any more.
    private func giveUpOpening(_ reason: Reason, _ detail: String) {
        switch phase {
        case .probing(let probe): probe.cancel()
        case .opening(let stream): stream.reset()
        case .joining(let inbound): inbound.abandon(reason, detail)
        case .connecting(let connect): connect.cancel()
        case .relayingStream, .relayingSameNode, .relayingSocket, .over: break
        }
    }

    func refuse(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        isOver = true
        phase = .over
        stopTimer()
        client.reset()
        account.blame(reason, detail)
        account.refused(at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes) {
        guard !isOver else { return }
        isOver = true
        let last = phase
        phase = .over
        account.closed(end, bytes, at: proxy.moment, in: proxy.journal)
        switch last {
        case .relayingStream:
            if let endpoint { proxy.load.closed(to: endpoint) }
        case .relayingSameNode(let inbound):
            if let endpoint { proxy.load.closed(to: endpoint) }
            inbound.relayEnded(end, bytes: bytes, account.record)
        case .probing, .opening, .joining, .connecting, .relayingSocket, .over: break
        }
        proxy.ended(self)
    }

    func close(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        account.blame(reason, detail)
        switch phase {
        case .relayingStream(let relay): relay.abort()
        case .relayingSameNode(let inbound): inbound.abortRelay()
        case .relayingSocket(let relay): relay.abort()
        case .probing, .opening, .joining, .connecting, .over:
            giveUpOpening(reason, detail)
            refuse(reason, detail)
        }
    }

    var isOpen: Bool {
        switch phase {
        case .relayingStream, .relayingSameNode, .relayingSocket: true
        case .probing, .opening, .joining, .connecting, .over: false
        }
    }

    var relayed: RelayedBytes {
        switch phase {
        case .relayingStream(let relay): relay.relayed
        case .relayingSameNode(let inbound): inbound.relayed
        case .relayingSocket(let relay): relay.relayed
        case .probing, .opening, .joining, .connecting, .over: RelayedBytes()
        }
    }

    /// Whether the destination accepts it is decided there; here, whether its namespace may still leave the mesh.
    func reevaluate() {
        guard account.security == .plaintext, let source = pod.record,
            case .refused(.egressDenied, let detail) = proxy.route(to: destination, from: source, excluding: [])
        else { return }
        close(.policyChanged, "now refused: \(detail)")
    }
}
