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
final class InboundPlaintextConnection: InboundConnection, StreamSocketDelegate, SocketConnectOwner, RelayOwner {
    private enum Phase {
        case connecting(SocketConnect)
        case relaying(SocketRelay)
        case over
    }

    private let client: StreamSocket
    private let clientAddress: ClientAddress
    private let destination: OriginalDestination
    let pod: LocalPod
    let proxy: ProxyLoop
    private var phase = Phase.over
    private var isOver = false
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
                openedAt: proxy.moment),
            sharing: proxy.patterns)
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
        let connect = SocketConnect(
            to: destination.address,
            from: SocketConnect.visibleSource(of: clientAddress.address.ip, at: destination.address.ip),
            isWithinNode: true, timeout: proxy.settings.connect, resources: proxy.resources, owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    var facts: ConnectionFacts {
        ConnectionFacts(
            source: nil, sourceAddress: clientAddress.address.ip, destinationAddress: destination.address.ip,
            destinationPort: destination.address.port)
    }

    func connected(_ socket: StreamSocket) {
        let relay = SocketRelay(client: client, server: socket, resources: proxy.resources, owner: self)
        phase = .relaying(relay)
        account.opened(in: proxy.journal)
        relay.start()
    }

    func connectFailed(errorNumber: Int32) {
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description)
    }

    // MARK: The client while the application is being connected to

    func socketConnected(_ socket: StreamSocket) {}
    func socketReadable(_ socket: StreamSocket) {}
    func socketDrained(_ socket: StreamSocket, count: Int) {}

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        if case .connecting(let connect) = phase { connect.cancel() }
        refuse(.peerReset, "the client reset the connection before it was open")
    }

    // MARK: Ends

    private func refuse(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        isOver = true
        phase = .over
        client.reset()
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
        case .connecting(let connect):
            connect.cancel()
            refuse(reason, detail)
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
