internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// A connection that left a captured pod: decides where it goes, opens the way, and relays.
///
///     routing ──tunnel──> opening ──200──> relaying ──> over
///        │                  │  └─ another endpoint, at most two more ─┐
///        ├──plaintext──> connecting ──────────> relaying              │
///        └──refused──> over <───────────────────────────────────────-─┘
///
/// The application's connect() has long succeeded; a refusal shows as a reset, and is told in the log, in the
/// metrics and by `meshnode connections`.
final class OutboundConnection: AccountedConnection, StreamSocketDelegate, TunnelStreamHandler, SocketConnectOwner,
    RelayOwner, TimerHandler
{
    private enum Phase {
        case opening(TunnelStream)
        case connecting(SocketConnect)
        case relayingStream(StreamRelay)
        case relayingSocket(SocketRelay)
        case over
    }

    /// Endpoints that are tried before the first byte, the first one included.
    private static let mostAttempts = 3

    let id: UInt64
    private let client: StreamSocket
    private let clientAddress: ClientAddress
    private let destination: OriginalDestination
    private let pod: LocalPod
    let proxy: ProxyLoop
    private let started: ContinuousClock.Instant
    private var phase = Phase.over
    /// Runs while a stream is being opened.
    private var openingTimer: TimerID?
    private var endpoint: WorkloadUID?
    private var tried: Set<WorkloadUID> = []
    var account: ConnectionAccount

    init(
        client: StreamSocket, clientAddress: ClientAddress, destination: OriginalDestination, pod: LocalPod,
        proxy: ProxyLoop
    ) {
        id = proxy.nextConnectionID()
        self.client = client
        self.clientAddress = clientAddress
        self.destination = destination
        self.pod = pod
        self.proxy = proxy
        started = proxy.now
        account = ConnectionAccount(
            ConnectionRecord(
                id: id, direction: .outbound, security: .plaintext,
                source: PeerFacts(address: clientAddress.address, workload: pod.workload, identity: nil),
                destination: PeerFacts(address: destination.address), openedAt: proxy.moment))
        account.requested(destination)
    }

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
        switch proxy.route(to: destination, from: source, excluding: tried) {
        case .tunnel(let route): open(route, from: source)
        case .plaintext(let route): connect(route)
        case .refused(let reason, let detail):
            let service = proxy.snapshot.service(at: destination.address.ip, from: source.namespace)
            if let service { account.addressed(service) }
            refuse(reason, detail)
        }
    }

    // MARK: Through a tunnel

    private func open(_ route: TunnelRoute, from source: Workload) {
        tried.insert(route.endpoint.uid)
        endpoint = route.endpoint.uid
        account.routed(route, hostname: proxy.hostname(of: route.service))
        let key = PoolKey(
            source: source.identity, accepted: route.acceptedIdentities,
            sourceIP: sourceAddress(of: source, in: route.address.address.ip.family),
            destination: route.address)
        let request = ConnectRequest(
            authority: route.authority, baggage: Baggage(source), forwarded: nil, traceParent: nil)
        if openingTimer == nil { openingTimer = proxy.loop.schedule(after: proxy.settings.opening, self) }
        let stream = proxy.tunnels.open(key, request, sockets: pod.stock, handler: self)
        // A refusal may have been told already, from inside the call.
        if case .over = phase, !isOver { phase = .opening(stream) }
    }

    /// The pod's own address: never one of another family, which cannot be bound, and never anybody else's.
    private func sourceAddress(of source: Workload, in family: IPAddress.Family) -> IPAddress {
        source.addresses.first { $0.family == family } ?? clientAddress.address.ip
    }

    private var isOver = false

    func timerFired(at now: ContinuousClock.Instant) {
        openingTimer = nil
        guard case .opening(let stream) = phase else { return }
        stream.reset()
        refuse(.upstreamTimeout, "no answer to the CONNECT within \(proxy.settings.opening)")
    }

    private func stopTimer() {
        if let openingTimer { proxy.loop.cancel(openingTimer) }
        openingTimer = nil
    }

    func streamAccepted() {
        guard case .opening(let stream) = phase else { return }
        stopTimer()
        account.destinationProved(stream.peerIdentity)
        let relay = StreamRelay(socket: client, stream: stream, role: .clientSocket, loop: proxy.loop, owner: self)
        phase = .relayingStream(relay)
        if let endpoint { proxy.load.opened(to: endpoint) }
        account.opened(in: proxy.journal)
        relay.start()
    }

    func streamRefused(status: Int) {
        phase = .over
        switch status {
        case 401:
            refuse(.policyDeny, refusedThere)
        case 503: retry(.upstreamRefused, "the application did not accept the connection (503)")
        default: refuse(.upstreamRefused, "the peer answered CONNECT with \(status)")
        }
    }

    /// Why is known there only; where to ask is known here.
    private var refusedThere: String {
        let source = pod.workload.map { "\($0.namespace)/\($0.name)" } ?? pod.uid.text
        return "the destination refused it (401), which does not tell peers why; see what denies it with "
            + "`meshnode explain \(source) \(destination.address)`"
    }

    func streamLost(_ failure: TunnelFailure) {
        phase = .over
        if failure.mayRetryElsewhere {
            retry(failure.reason, failure.detail)
        } else {
            refuse(failure.reason, failure.detail)
        }
    }

    func streamReset() {
        phase = .over
        refuse(.peerReset, "the peer reset the stream before it was accepted")
    }

    func streamReceived(_ bytes: RawSpan) {}
    func streamFinished() {}
    func streamWritable() {}

    /// Tries another endpoint of the service, if there is one; the reason of the last attempt stands otherwise.
    private func retry(_ reason: Reason, _ detail: String) {
        if let endpoint { proxy.load.failed(to: endpoint) }
        guard account.record.service != nil, tried.count < Self.mostAttempts, let source = pod.workload,
            started.duration(to: proxy.now) < proxy.settings.connect,
            case .tunnel(let next) = proxy.route(to: destination, from: source, excluding: tried),
            !tried.contains(next.endpoint.uid)
        else { return refuse(reason, detail) }
        open(next, from: source)
    }

    // MARK: Around the mesh

    private func connect(_ route: PlaintextRoute) {
        account.routed(route, hostname: proxy.hostname(of: route.service))
        let connect = SocketConnect(
            to: route.address.address, from: nil, timeout: proxy.settings.connect, resources: proxy.resources,
            owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    func connected(_ socket: StreamSocket) {
        socket.tuneForNetwork(findsDeadPeers: true)
        let relay = SocketRelay(client: client, server: socket, resources: proxy.resources, owner: self)
        phase = .relayingSocket(relay)
        account.opened(in: proxy.journal)
        relay.start()
    }

    func connectFailed(errorNumber: Int32) {
        phase = .over
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description)
    }

    // MARK: The client while the way is being opened

    func socketConnected(_ socket: StreamSocket) {}
    func socketReadable(_ socket: StreamSocket) {}
    func socketDrained(_ socket: StreamSocket, count: Int) {}

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        switch phase {
        case .opening(let stream): stream.reset()
        case .connecting(let connect): connect.cancel()
        case .relayingStream, .relayingSocket, .over: break
        }
        refuse(.peerReset, "the client reset the connection before it was open")
    }

    // MARK: Ends

    private func refuse(_ reason: Reason, _ detail: String) {
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
        if case .relayingStream = phase, let endpoint { proxy.load.closed(to: endpoint) }
        phase = .over
        account.closed(end, bytes, at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func close(_ reason: Reason, _ detail: String) {
        account.blame(reason, detail)
        switch phase {
        case .opening(let stream): stream.reset()
        case .connecting(let connect): connect.cancel()
        case .relayingStream(let relay): return relay.abort()
        case .relayingSocket(let relay): return relay.abort()
        case .over: return
        }
        refuse(reason, detail)
    }

    var isOpen: Bool {
        switch phase {
        case .relayingStream, .relayingSocket: true
        case .opening, .connecting, .over: false
        }
    }

    var relayed: RelayedBytes {
        switch phase {
        case .relayingStream(let relay): relay.relayed
        case .relayingSocket(let relay): relay.relayed
        case .opening, .connecting, .over: RelayedBytes()
        }
    }

    /// Whether the destination accepts it is decided there; here, whether its namespace may still leave the mesh.
    func reevaluate() {
        guard account.record.security == .plaintext, let source = pod.record,
            case .refused(.egressDenied, let detail) = proxy.route(to: destination, from: source, excluding: [])
        else { return }
        close(.policyChanged, "now refused: \(detail)")
    }
}
