internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// The other half of a connection between two pods of this loop: told what comes of it at the destination.
protocol SameNodeOwner: AnyObject {
    /// The application accepted. The owner joins `socket` to the client's and says so by `joined`.
    func sameNodeOpened(_ socket: StreamSocket)
    /// It was refused, with the status that a CONNECT would have been answered with.
    func sameNodeRefused(status: Int)
    /// The destination ends what is open: the owner aborts the relay.
    func sameNodeEnded(_ reason: Reason, _ detail: String)
}

/// What a connection between two pods of this loop is at its destination. The same questions are asked as of a CONNECT
/// that came through a tunnel; the client's identity is the one that it proved without a handshake.
///
///     deciding ──allowed──> connecting to the application ──> open ──> over
///        └──────denied──────────────┴──────────────────────────────────^
final class SameNodeInbound: InboundConnection, SocketConnectOwner, TimerHandler {
    private enum Phase {
        case connecting(SocketConnect)
        case open(SocketRelay)
        case over
    }

    let pod: LocalPod
    let proxy: ProxyLoop
    /// The source pod's address: what the application sees as its client.
    private let clientAddress: SocketAddress
    private let destination: SocketAddress
    private var proof: MutualProof
    private var phase = Phase.over
    private var isOver = false
    /// Runs while the connection outlives the trust between its ends.
    private var cut: (timer: TimerID, failure: TunnelFailure)?
    private var owner: (any SameNodeOwner)?
    var account: ConnectionAccount

    init(
        from client: SocketAddress, _ source: Workload, to destination: SocketAddress, of pod: LocalPod,
        proof: MutualProof, proxy: ProxyLoop, owner: any SameNodeOwner
    ) {
        self.pod = pod
        self.proxy = proxy
        self.proof = proof
        self.owner = owner
        clientAddress = client
        self.destination = destination
        var record = ConnectionRecord(
            id: proxy.nextConnectionID(), direction: .inbound, security: .mutualTLS,
            source: PeerFacts(address: client, workload: source, identity: proof.sourceIdentity),
            destination: PeerFacts(
                address: destination, workload: pod.workload, identity: proof.destinationIdentity),
            openedAt: proxy.moment)
        record.isSameNode = true
        account = ConnectionAccount(record)
    }

    /// Decides and connects. Called once; the outcome may be told before it returns.
    func start() {
        guard let workload = pod.workload else {
            return refuse(.unknownDestination, "the pod's record has not come")
        }
        if let refusal = admit(at: workload, peer: proof.sourceIdentity) {
            return refuse(refusal.reason, refusal.detail)
        }
        let connect = SocketConnect(
            to: destination, from: SocketConnect.visibleSource(of: clientAddress.ip, at: destination.ip),
            isWithinNode: true, timeout: proxy.settings.connect, resources: proxy.resources, owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    var facts: ConnectionFacts {
        ConnectionFacts(
            source: proof.sourceIdentity, sourceAddress: clientAddress.ip, destinationAddress: destination.ip,
            destinationPort: destination.port)
    }

    func connected(_ socket: StreamSocket) { owner?.sameNodeOpened(socket) }

    func connectFailed(errorNumber: Int32) {
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description)
    }

    /// `relay` carries the bytes from now on; the owner has it.
    func joined(_ relay: SocketRelay) {
        phase = .open(relay)
        account.opened(in: proxy.journal, sharing: proxy.patterns)
    }

    /// Ends both sides of an open connection with a reset.
    func abortRelay() {
        if case .open(let relay) = phase { relay.abort() }
    }

    // MARK: Trust

    /// As with a tunnel: who is revoked is cut at once, who is not trusted any more after a while.
    func reviewTrust() {
        guard !isOver, let (failure, isUrgent) = proxy.identities.review(&proof) else { return }
        if isUrgent { return close(failure.reason, failure.detail) }
        guard cut == nil else { return }
        cut = (proxy.loop.schedule(after: proxy.settings.distrusted, self), failure)
    }

    func timerFired(at now: ContinuousClock.Instant) {
        guard let failure = cut?.failure else { return }
        cut = nil
        close(failure.reason, failure.detail)
    }

    // MARK: Ends

    private func refuse(_ reason: Reason, _ detail: String) {
        let owner = owner
        abandon(reason, detail)
        owner?.sameNodeRefused(status: RequestRefusal.status(for: reason))
    }

    /// The client is gone, or does not wait any more. Nothing is told.
    func abandon(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        if case .connecting(let connect) = phase { connect.cancel() }
        account.blame(reason, detail)
        over()
        account.refused(at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    /// The relay has ended; `record` is what the other half had to say of it.
    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes, _ record: ConnectionRecord) {
        guard !isOver else { return }
        if account.record.reason == nil, let reason = record.reason { account.blame(reason, record.detail ?? "") }
        over()
        account.closed(end, bytes, at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    private func over() {
        isOver = true
        phase = .over
        owner = nil
        if let cut { proxy.loop.cancel(cut.timer) }
        cut = nil
    }

    func close(_ reason: Reason, _ detail: String) {
        switch phase {
        case .connecting: refuse(reason, detail)
        case .open:
            account.blame(reason, detail)
            owner?.sameNodeEnded(reason, detail)
        case .over: break
        }
    }

    var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    var relayed: RelayedBytes {
        if case .open(let relay) = phase { relay.relayed } else { RelayedBytes() }
    }
}
