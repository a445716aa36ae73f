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
final class InboundStream: ServedConnection, TunnelStreamHandler {
    private let stream: TunnelStream
    let pod: LocalPod
    let proxy: ProxyLoop
    var phase = ServingPhase<StreamRelay>.deciding
    var account: ConnectionAccount

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
                openedAt: proxy.moment))
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
            return refuse(.unknownDestination, "the pod's record has not come")
        }
        if let refusal = admit(at: workload, peer: stream.peerIdentity) {
            return refuse(refusal.reason, refusal.detail)
        }
        connect(to: destination, from: clientIP)
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
        account.opened(in: proxy.journal, sharing: proxy.patterns)
        relay.start()
    }

    func refuseClient(_ reason: Reason) { stream.refuse(status: RequestRefusal.status(for: reason)) }

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
