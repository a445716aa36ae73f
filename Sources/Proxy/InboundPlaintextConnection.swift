internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport

/// A connection that reached a captured pod without a tunnel: from outside the mesh, or around it. It has no
/// identity, so policy decides on addresses and ports alone; under STRICT it is refused.
///
///     deciding ──allowed──> connecting to the application ──> relaying ──> over
///        └────────denied────────────┴──────failed────────────────────────────^
final class InboundPlaintextConnection: ServedConnection, StreamSocketDelegate {
    private let client: StreamSocket
    private let clientAddress: ClientAddress
    private let destination: OriginalDestination
    let pod: LocalPod
    let proxy: ProxyLoop
    var phase = ServingPhase<SocketRelay>.deciding
    var account: ConnectionAccount

    init(
        client: StreamSocket, clientAddress: ClientAddress, destination: OriginalDestination, pod: LocalPod,
        proxy: ProxyLoop
    ) {
        self.client = client
        self.clientAddress = clientAddress
        self.destination = destination
        self.pod = pod
        self.proxy = proxy
        let peer = proxy.snapshot.workload(at: clientAddress.address.ip)
        account = ConnectionAccount(
            ConnectionRecord(
                id: proxy.nextConnectionID(), direction: .inbound, security: .plaintext,
                source: PeerFacts(address: clientAddress.address, workload: peer, identity: nil),
                destination: PeerFacts(address: destination.address, workload: pod.workload, identity: nil),
                openedAt: proxy.moment))
    }

    /// Decides and connects. Called once.
    func start() {
        do {
            try client.start(self)
        } catch {
            return refuse(.limitConnections, "no descriptor could be watched: \(error)")
        }
        guard !MeshPorts.isOwn(destination.address.port) else {
            return refuse(.selfCall, "port \(destination.address.port) belongs to the mesh itself")
        }
        guard let workload = pod.workload else { return refuse(.unknownDestination, "the pod's record has not come") }
        if let refusal = admit(at: workload, peer: nil) { return refuse(refusal.reason, refusal.detail) }
        connect(to: destination.address, from: clientAddress.address.ip)
    }

    var facts: ConnectionFacts {
        ConnectionFacts(
            source: nil, sourceAddress: clientAddress.address.ip, destinationAddress: destination.address.ip,
            destinationPort: destination.address.port)
    }

    func connected(_ socket: StreamSocket) {
        let relay = SocketRelay(client: client, server: socket, resources: proxy.resources, owner: self)
        phase = .relaying(relay)
        account.opened(in: proxy.journal, sharing: proxy.patterns)
        relay.start()
    }

    func refuseClient(_ reason: Reason) { client.reset() }

    // MARK: The client while the application is being connected to

    func socketConnected(_ socket: StreamSocket) {}
    func socketReadable(_ socket: StreamSocket) {}
    func socketDrained(_ socket: StreamSocket, count: Int) {}

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        refuse(.peerReset, "the client reset the connection before it was open")
    }
}
