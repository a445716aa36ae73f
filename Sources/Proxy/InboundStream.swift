internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// A CONNECT that a peer sent to a captured pod: checks it, asks the policies, connects to the application, and
/// only then answers 200. So 200 means "the application accepted".
///
///     deciding ──allowed──> connecting to the application ──200──> relaying ──> over
///        └──400, 401────────────┴──503───────────────────────────────────────────^
final class InboundStream: InboundConnection, TunnelStreamHandler, SocketConnectOwner, RelayOwner {
    private enum Phase {
        case connecting(SocketConnect)
        case relaying(StreamRelay)
        case over
    }

    private let stream: TunnelStream
    let pod: LocalPod
    let proxy: ProxyLoop
    private var phase = Phase.over
    var account: ConnectionAccount
    private var isOver = false

    init(
        stream: TunnelStream, request: ConnectRequest?, clientAddress: ClientAddress, localAddress: IPAddress,
        pod: LocalPod,
        proxy: ProxyLoop
    ) {
        self.stream = stream
        self.pod = pod
        self.proxy = proxy
        let peer = proxy.snapshot.workload(at: clientAddress.address.ip)
        account = ConnectionAccount(
            ConnectionRecord(
                id: proxy.nextConnectionID(), direction: .inbound, security: .mutualTLS,
                source: Self.facts(of: peer, at: clientAddress, stream.peerIdentity, request?.baggage),
                destination: PeerFacts(
                    address: SocketAddress(localAddress, request?.authority.port ?? 0), workload: pod.workload,
                    identity: pod.workload?.identity),
                openedAt: proxy.moment),
            sharing: proxy.patterns)
    }

    /// Where the mesh's state does not have the peer, its own word is better than none: for people only.
    private static func facts(
        of peer: Workload?, at client: ClientAddress, _ identity: SPIFFEID?, _ baggage: String?
    ) -> PeerFacts {
        guard peer == nil, let baggage else {
            return PeerFacts(address: client.address, workload: peer, identity: identity)
        }
        return PeerFacts(address: client.address, names: PeerNames(Baggage(parsing: baggage)), identity: identity)
    }

    /// Decides on a request that is well-formed: policy, then the application. Called once.
    func start() {
        guard let workload = pod.workload else {
            return refuse(.unknownDestination, "the pod's record has not come", status: 503)
        }
        if let refusal = admit(at: workload, peer: stream.peerIdentity) {
            return refuse(refusal.reason, refusal.detail, status: RequestRefusal.status(for: refusal.reason))
        }
        let connect = SocketConnect(
            to: destination, from: SocketConnect.visibleSource(of: clientIP, at: destination.ip),
            isWithinNode: true, timeout: proxy.settings.connect, resources: proxy.resources, owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    /// Refuses a request that was not well-formed.
    func refuseRequest(_ reason: Reason, _ detail: String) {
        refuse(reason, detail, status: 400)
    }

    /// The address that the tunnel came in on; only the port is taken from the authority.
    private var destination: SocketAddress { account.destination ?? SocketAddress(.unspecified, 0) }

    /// The TLS peer's address: what the application sees as its client.
    private var clientIP: IPAddress { account.client?.ip ?? .unspecified }

    var facts: ConnectionFacts {
        let destination = destination
        return ConnectionFacts(
            source: stream.peerIdentity, sourceAddress: clientIP, destinationAddress: destination.ip,
            destinationPort: destination.port)
    }

    func connected(_ socket: StreamSocket) {
        stream.accept()
        let relay = StreamRelay(socket: socket, stream: stream, role: .serverSocket, owner: self)
        phase = .relaying(relay)
        account.opened(in: proxy.journal)
        relay.start()
    }

    func connectFailed(errorNumber: Int32) {
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description, status: 503)
    }

    // MARK: The stream while the application is being connected to

    func streamAccepted() {}
    func streamRefused(status: Int) {}
    func streamFinished() {}
    func streamWritable() {}
    func streamReceived(_ bytes: RawSpan) {}

    func streamReset() {
        abandon(.peerReset, "the peer reset the stream before it was open")
    }

    func streamLost(_ failure: TunnelFailure) {
        abandon(failure.reason, failure.detail)
    }

    // MARK: Ends

    private func refuse(_ reason: Reason, _ detail: String, status: Int) {
        guard !isOver else { return }
        stream.refuse(status: status)
        abandon(reason, detail)
    }

    private func abandon(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        isOver = true
        if case .connecting(let connect) = phase { connect.cancel() }
        phase = .over
        account.blame(reason, detail)
        account.refused(at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes) {
        guard !isOver else { return }
        isOver = true
        phase = .over
        account.closed(end, bytes, at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func close(_ reason: Reason, _ detail: String) {
        account.blame(reason, detail)
        switch phase {
        case .connecting: refuse(reason, detail, status: RequestRefusal.status(for: reason))
        case .relaying(let relay): relay.abort()
        case .over: break
        }
    }

    var isOpen: Bool {
        if case .relaying = phase { true } else { false }
    }

    var relayed: RelayedBytes {
        if case .relaying(let relay) = phase { relay.relayed } else { RelayedBytes() }
    }
}

extension PeerNames {
    /// What a peer says of itself.
    init(_ baggage: Baggage) {
        self.init(namespace: baggage.namespace ?? "")
        ownerName = baggage.owner?.name ?? baggage.service ?? ""
        canonicalService = baggage.service ?? ""
        canonicalRevision = baggage.revision ?? ""
        app = canonicalService
        version = canonicalRevision
        cluster = baggage.cluster ?? ""
        locality = Locality(region: baggage.region ?? "", zone: baggage.zone ?? "")
    }
}
