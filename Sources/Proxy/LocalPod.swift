internal import Addressing
internal import Kernel
internal import Mesh
internal import Transport
internal import Tunnel

/// A captured pod of this node, as one loop sees it: its listeners, its sockets, and its record in the mesh.
///
/// It accepts once its record and its certificate are there. Until then connections wait in the kernel's backlog;
/// if they do not come within the loop's `patience`, it accepts all the same, so that each gets its refusal and a reason
/// instead of silence.
///
/// If its record goes, it waits for it anew: an update may remove and insert.
///
///     waiting ──record and certificate, or patience over──> accepting ──drain──> closed
///        ^────────────────────record gone─────────────────────┘
final class LocalPod: TimerHandler {
    let uid: WorkloadUID
    /// Tells apart the pods that have one name one after the other.
    let enrolment: UInt64
    let stock: SocketStock
    /// Its connections, counted over all loops.
    let limits: WorkloadAccount
    private(set) var workload: Workload?
    /// What peers are told of it with each connection: the `baggage` of a CONNECT.
    private(set) var baggage = ""
    private var judgements = Judgements()
    /// Those found in its namespace.
    var addresses = NamespaceAddresses()
    private let proxy: ProxyLoop
    private var listeners: [PodListener] = []
    private var patienceTimer: TimerID?
    private var isPatienceOver = false
    private var isClosed = false

    init(uid: WorkloadUID, enrolment: UInt64, stock: SocketStock, proxy: ProxyLoop) {
        self.uid = uid
        self.enrolment = enrolment
        self.stock = stock
        self.proxy = proxy
        limits = proxy.limits.account(of: uid)
    }

    /// Takes the pod's three listeners and starts to wait for its record. Called once.
    func start(outbound: consuming Descriptor, inboundPlaintext: consuming Descriptor, hbone: consuming Descriptor) {
        listeners = [
            PodListener(outbound, isWithinNode: true, loop: proxy.loop) { [unowned self] in
                accepted($0, $1, .outbound)
            },
            PodListener(inboundPlaintext, loop: proxy.loop) { [unowned self] in accepted($0, $1, .plaintext) },
            PodListener(hbone, loop: proxy.loop) { [unowned self] in accepted($0, $1, .hbone) },
        ]
        wait()
        refresh()
    }

    private func wait() {
        if let patienceTimer { proxy.loop.cancel(patienceTimer) }
        isPatienceOver = false
        patienceTimer = proxy.loop.schedule(after: proxy.patience, self)
    }

    /// The mesh's state or the certificates changed.
    func refresh() {
        let hadRecord = workload != nil
        let record = proxy.snapshot.workload(uid)
        if record != workload { baggage = record.map { Baggage($0).text } ?? "" }
        workload = record
        judgements.forget()
        addresses.told(workload?.addresses ?? [])
        if hadRecord, workload == nil, !isClosed {
            for listener in listeners { listener.pauseAccepting() }
            wait()
        }
        openIfReady()
    }

    /// It takes connections for `identity`, and has both record and certificate.
    func accepts(as identity: SPIFFEID) -> Bool {
        !isClosed && !listeners.isEmpty && listeners.allSatisfy(\.isOpen) && workload?.identity == identity
            && proxy.identities.isAvailable(identity)
    }

    /// What the policies say about a connection to it; `judge` asks them, and not for each of many that are alike.
    func judgement(on facts: ConnectionFacts, _ judge: () -> Judgement) -> Judgement {
        judgements.judgement(on: facts, judge)
    }

    /// Its record as of now, also when it was withdrawn and is not refreshed any more.
    var record: Workload? { proxy.snapshot.workload(uid) }

    func timerFired(at now: ContinuousClock.Instant) {
        patienceTimer = nil
        isPatienceOver = true
        openIfReady()
    }

    private func openIfReady() {
        guard !isClosed else { return }
        let isComplete = workload.map { proxy.identities.isAvailable($0.identity) } ?? false
        guard isComplete || isPatienceOver else { return }
        if let patienceTimer { proxy.loop.cancel(patienceTimer) }
        patienceTimer = nil
        for listener in listeners where !listener.isOpen {
            do {
                try listener.open()
            } catch {
                proxy.journal.note("listener of \(uid) cannot be watched: \(error)")
            }
        }
    }

    /// Accepts no more. Connections run on; what waits in the backlog is the next worker's.
    func close() {
        isClosed = true
        for listener in listeners { listener.close() }
        listeners = []
        if let patienceTimer { proxy.loop.cancel(patienceTimer) }
        patienceTimer = nil
    }

    // MARK: Accepting

    /// It serves what comes.
    var isAccepting: Bool { listeners.first?.isOpen ?? false }

    private func accepted(_ socket: consuming TCPSocket, _ client: SocketAddress, _ port: PodPort) {
        proxy.place(socket, from: client, to: port, of: self)
    }

    /// Serves a connection that was accepted at `port`, by this loop or another.
    func serve(_ socket: consuming TCPSocket, from client: SocketAddress, at port: PodPort) {
        switch port {
        case .outbound: serveOutbound(socket, client)
        case .plaintext: servePlaintext(socket, client)
        case .hbone: serveTunnel(socket, client)
        }
    }

    private func serveOutbound(_ socket: consuming TCPSocket, _ client: SocketAddress) {
        guard let destination = socket.originalDestination(client: client) else {
            // Somebody connected to the port itself; there is nowhere to go.
            return socket.setResetOnClose()
        }
        let stream = StreamSocket(accepted: socket, resources: proxy.resources)
        let connection = OutboundConnection(
            client: stream, clientAddress: ClientAddress(client), destination: OriginalDestination(destination),
            pod: self,
            proxy: proxy)
        proxy.begin(connection)
        connection.start()
    }

    private func servePlaintext(_ socket: consuming TCPSocket, _ client: SocketAddress) {
        guard let destination = socket.originalDestination(client: client) else { return socket.setResetOnClose() }
        let stream = StreamSocket(accepted: socket, resources: proxy.resources)
        let connection = InboundPlaintextConnection(
            client: stream, clientAddress: ClientAddress(client), destination: OriginalDestination(destination),
            pod: self,
            proxy: proxy)
        proxy.begin(connection)
        connection.start()
    }

    private func serveTunnel(_ socket: consuming TCPSocket, _ client: SocketAddress) {
        guard let local = socket.localAddress() else { return }
        let tunnel = AcceptedTunnel(
            workload: uid, enrolment: enrolment, client: ClientAddress(client), localAddress: local.ip)
        guard let workload else {
            socket.setResetOnClose()
            return proxy.inboundTunnels.tunnelFailed(
                TunnelFailure(
                    .unknownDestination, "the controller has not told of \(uid) yet", mayRetryElsewhere: true),
                of: tunnel)
        }
        proxy.inboundTunnels.accept(socket, as: workload.identity, tunnel)
    }
}
