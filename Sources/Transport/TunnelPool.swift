internal import Addressing
internal import Identity
internal import Kernel
internal import Mesh
internal import TLS
package import Tunnel

/// The tunnels that one loop dials, shared by the connections that fit: same source identity, same source address, same
/// destination. Which session carries which stream is the `SessionPool`'s to say; this class does it.
package final class TunnelPool: TunnelLinkOwner {
    private let resources: LoopResources
    private let identities: LoopIdentities
    private let wallClock: () -> Int64
    private var pool = SessionPool()
    private var waiters: [Int: TunnelWaiter] = [:]
    private var lastWaiter = 0
    private var links: [SessionID: TunnelLink] = [:]
    private var sessions: [ObjectIdentifier: SessionID] = [:]
    private var dials: [SessionID: TunnelDial] = [:]
    private var isDraining = false
    /// How long streams of a peer run on that is not trusted any more.
    private let grace: Duration

    /// Streams that a session gets before its peer has said how many it takes, a round trip after the handshake: what is
    /// beyond its limit it would refuse.
    private static let mostUnsettled = 10

    /// How long a dial may take until TCP is connected (tunnel design, "Pool").
    private static let connectTimeout = Duration.seconds(10)

    /// - Parameters:
    ///   - grace: how long streams of a peer run on that is not trusted any more.
    ///   - wallClock: seconds since 1970, to judge certificates by.
    package init(
        resources: LoopResources, identities: LoopIdentities, grace: Duration = .seconds(30),
        wallClock: @escaping () -> Int64
    ) {
        self.resources = resources
        self.identities = identities
        self.grace = grace
        self.wallClock = wallClock
    }

    /// Asks for a stream; the outcome is told to `handler`, possibly before this returns.
    ///
    /// - Parameter sockets: those of the source's pod, to dial with if there is no tunnel yet.
    package func open(
        _ key: PoolKey, _ request: ConnectRequest, sockets: SocketStock, handler: any TunnelStreamHandler
    ) -> TunnelStream {
        let stream = TunnelStream(handler: handler)
        place(TunnelWaiter(key: key, request: request, stream: stream, sockets: sockets, pool: self))
        return stream
    }

    /// Gives it a place in a session, or lets it wait for one.
    private func place(_ waiter: TunnelWaiter) {
        lastWaiter += 1
        waiter.number = lastWaiter
        waiter.stream.waits(with: waiter)
        switch pool.streamWanted(waiter.key, waiter: waiter.number) {
        case .use(let session): start(waiter, on: session)
        case .dial(let session):
            waiters[waiter.number] = waiter
            dial(session, waiter.key, with: waiter.sockets)
        case .wait: waiters[waiter.number] = waiter
        }
    }

    /// Tunnels that are open or being dialled.
    package var count: Int { links.count + dials.count }

    /// The tunnels, for tests.
    var allLinks: [TunnelLink] { Array(links.values) }

    /// Announces to every peer that there will be no new streams.
    package func drain() {
        isDraining = true
        drain { _ in true }
    }

    /// As `drain()`, for the tunnels that were dialled with sockets of `stock`: its pod is withdrawn.
    package func drain(from stock: SocketStock) {
        drain { $0.origin == ObjectIdentifier(stock) }
    }

    /// Those that are being dialled are left out: somebody waits for them.
    private func drain(_ isMeant: (TunnelLink) -> Bool) {
        for (session, link) in Array(links) where link.isEstablished && isMeant(link) {
            pool.goAwayReceived(session)
            link.drain()
        }
    }

    /// No tunnel is open; one being dialled has nothing to lose.
    package var isQuiet: Bool { links.values.allSatisfy { !$0.isEstablished } }

    /// Called when a tunnel has ended.
    package var onLinkEnded: (() -> Void)?

    /// Called when a tunnel has ended because its peer abused HTTP/2.
    package var onAbuse: ((TunnelFailure) -> Void)?

    /// Certificates, roots or revocations changed: looks at every tunnel again.
    package func reviewTrust() {
        let now = wallClock()
        for link in Array(links.values) { link.review(identities, at: now, grace: grace) }
    }

    /// Nobody wants its stream any more.
    func abandoned(_ waiter: TunnelWaiter) {
        guard waiters.removeValue(forKey: waiter.number) != nil else { return }
        pool.waiterLeft(waiter.key, waiter: waiter.number)
    }

    // MARK: Doing what the pool says

    private func perform(_ actions: [SessionPool.Action], after failure: TunnelFailure? = nil) {
        for action in actions {
            switch action {
            case .open(let number, let session): start(number, on: session)
            case .fail(let number, let reason):
                waiters.removeValue(forKey: number)?.stream.lost(
                    failure ?? TunnelFailure(reason, "the tunnel could not be made", mayRetryElsewhere: true))
            case .dial(let key, let session):
                // Somebody waits for it, so there is a stock of the same source.
                guard let sockets = waiters.values.first(where: { $0.key == key })?.sockets else {
                    perform(pool.dialFailed(session, .internal))
                    continue
                }
                dial(session, key, with: sockets)
            }
        }
    }

    private func start(_ number: Int, on session: SessionID) {
        guard let waiter = waiters.removeValue(forKey: number) else {
            return perform(pool.streamClosed(session))
        }
        start(waiter, on: session)
    }

    private func start(_ waiter: TunnelWaiter, on session: SessionID) {
        waiter.session = session
        do {
            guard let link = links[session] else { throw TunnelError(.cannotOpenStream, "the session is gone") }
            try link.open(waiter.stream, waiter.request)
        } catch {
            // The session has become unusable since the pool was told of it last: ask for another.
            pool.goAwayReceived(session)
            perform(pool.streamClosed(session))
            place(waiter)
        }
    }

    /// Its session was of no use: another is.
    func missed(_ waiter: TunnelWaiter) {
        // One that refused a stream for its number goes on with the others.
        if let session = waiter.session, links[session]?.takesMore != true { pool.goAwayReceived(session) }
        place(waiter)
    }

    // MARK: Dialling

    private func dial(_ session: SessionID, _ key: PoolKey, with sockets: SocketStock) {
        let origin = ObjectIdentifier(sockets)
        let dial = TunnelDial { [weak self] outcome in self?.socketReady(session, key, outcome, from: origin) }
        dials[session] = dial
        sockets.take(key.destination.address.ip.family, for: dial)
    }

    private func socketReady(
        _ session: SessionID, _ key: PoolKey, _ outcome: consuming TunnelDial.Outcome, from origin: ObjectIdentifier
    ) {
        dials[session] = nil
        do throws(TunnelFailure) {
            switch consume outcome {
            case .socket(let socket): try connect(session, key, socket, from: origin)
            case .none(let code):
                throw TunnelFailure(
                    .limitConnections, "no socket: \(SystemError.text(of: code))", mayRetryElsewhere: false)
            }
        } catch {
            perform(pool.dialFailed(session, error.reason), after: error)
        }
    }

    private func connect(
        _ session: SessionID, _ key: PoolKey, _ socket: consuming TCPSocket, from origin: ObjectIdentifier
    ) throws(TunnelFailure) {
        let credentials = try identities.credentials(of: key.source, role: .client, at: wallClock())
        let stream = StreamSocket(unconnected: socket, resources: resources)
        let link: TunnelLink
        do {
            link = try TunnelLink(
                socket: stream, credentials: credentials, expecting: .oneOf(key.accepted),
                session: try TunnelSession(
                    role: .dialling, limits: resources.tunnelLimits, at: resources.loop.now), at: wallClock(),
                cache: identities.cache, peerText: "\(key.destination)", resources: resources, owner: self)
        } catch {
            throw TunnelFailure(.internal, "a tunnel could not be made: \(error)", mayRetryElsewhere: false)
        }
        link.origin = origin
        links[session] = link
        sessions[ObjectIdentifier(link)] = session
        do throws(SystemError) {
            try link.startDialling(
                key.destination.address, from: SocketAddress(key.sourceIP, 0), timeout: Self.connectTimeout)
        } catch {
            links[session] = nil
            sessions[ObjectIdentifier(link)] = nil
            throw TunnelFailure(.upstreamRefused, "tunnel to \(key.destination): \(error)", mayRetryElsewhere: true)
        }
    }

    // MARK: What the links tell

    package func linkEstablished(_ link: TunnelLink) {
        guard let session = sessions[ObjectIdentifier(link)] else { return }
        link.review(identities, at: wallClock(), grace: grace)
        perform(pool.dialed(session, capacity: min(link.streamCapacity, Self.mostUnsettled), isSettled: false))
        if isDraining { link.drain() }
    }

    package func linkSettingsChanged(_ link: TunnelLink) {
        guard let session = sessions[ObjectIdentifier(link)] else { return }
        perform(pool.capacityChanged(session, to: link.streamCapacity))
    }

    package func link(
        _ link: TunnelLink, received request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream
    ) {
        // HTTP/2 lets only clients open streams, and we are the client.
        stream.refuse(status: 503)
    }

    package func linkStreamEnded(_ link: TunnelLink) {
        guard let session = sessions[ObjectIdentifier(link)] else { return }
        perform(pool.streamClosed(session))
    }

    package func linkDraining(_ link: TunnelLink) {
        guard let session = sessions[ObjectIdentifier(link)] else { return }
        pool.goAwayReceived(session)
    }

    package func linkEnded(_ link: TunnelLink, _ failure: TunnelFailure) {
        guard let session = sessions.removeValue(forKey: ObjectIdentifier(link)) else { return }
        links[session] = nil
        perform(pool.sessionClosed(session, failure.reason), after: failure)
        if failure.abuse != nil { onAbuse?(failure) }
        onLinkEnded?()
    }
}

/// Waits for the socket of one dial.
private final class TunnelDial: SocketReceiver {
    enum Outcome: ~Copyable {
        case socket(TCPSocket)
        case none(Int32)
    }

    private let done: (consuming Outcome) -> Void

    init(_ done: @escaping (consuming Outcome) -> Void) {
        self.done = done
    }

    func socketCame(_ socket: consuming TCPSocket) { done(.socket(socket)) }

    func socketRefused(errorNumber: Int32) { done(.none(errorNumber)) }
}
