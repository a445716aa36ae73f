internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// What carries the bytes of an open connection.
protocol Relay: AnyObject {
    /// What was carried so far.
    var relayed: RelayedBytes { get }
    /// Ends both sides with a reset.
    func abort()
}

/// Where a served connection is on its way.
enum ServingPhase<Carrier: Relay> {
    case deciding
    case connecting(SocketConnect)
    case relaying(Carrier)
    case over
}

/// An inbound connection that has a socket of its own to the application.
///
///     deciding ──allowed──> connecting to the application ──> relaying ──> over
///        └────────refused───────────┴──────refused───────────────────────────^
protocol ServedConnection: InboundConnection, SocketConnectOwner, RelayOwner {
    associatedtype Carrier: Relay
    var phase: ServingPhase<Carrier> { get set }
    /// Tells the client, in whatever way it came, that it is refused for `reason`.
    func refuseClient(_ reason: Reason)
}

extension ServedConnection {
    /// Connects to the application, which sees `client` as where the connection comes from.
    func connect(to destination: SocketAddress, from client: IPAddress) {
        let connect = SocketConnect(
            to: destination, from: SocketConnect.visibleSource(of: client, at: destination.ip),
            isWithinNode: true, timeout: proxy.settings.connect, resources: proxy.resources, owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    func connectFailed(errorNumber: Int32) {
        let destination = SocketAddress(facts.destinationAddress, facts.destinationPort)
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description)
    }

    func refuse(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        refuseClient(reason)
        abandon(reason, detail)
    }

    /// The client is gone, or was told.
    func abandon(_ reason: Reason, _ detail: String) {
        guard !isOver else { return }
        if case .connecting(let connect) = phase { connect.cancel() }
        phase = .over
        account.blame(reason, detail)
        account.refused(at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes) {
        guard !isOver else { return }
        phase = .over
        account.closed(end, bytes, at: proxy.moment, in: proxy.journal)
        proxy.ended(self)
    }

    func close(_ reason: Reason, _ detail: String) {
        account.blame(reason, detail)
        switch phase {
        case .deciding, .connecting: refuse(reason, detail)
        case .relaying(let relay): relay.abort()
        case .over: break
        }
    }

    private var isOver: Bool {
        if case .over = phase { true } else { false }
    }

    var isOpen: Bool {
        if case .relaying = phase { true } else { false }
    }

    var relayed: RelayedBytes {
        if case .relaying(let relay) = phase { relay.relayed } else { RelayedBytes() }
    }
}
