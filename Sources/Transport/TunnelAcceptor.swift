package import Addressing
internal import Identity
package import Kernel
package import Mesh
internal import TLS
package import Tunnel

/// Makes tunnels out of the connections that peers open to this loop's pods, and keeps them until they end.
package final class TunnelAcceptor: TunnelLinkOwner {
    /// Told of what comes in on accepted tunnels.
    package protocol Delegate: AnyObject {
        /// A peer asks for a stream. The delegate answers it.
        func received(
            _ request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream, of tunnel: AcceptedTunnel)
        /// A connection ended before it was a tunnel, or its peer floods us.
        func tunnelFailed(_ failure: TunnelFailure, of tunnel: AcceptedTunnel)
    }

    private final class Entry {
        let tunnel: AcceptedTunnel
        let link: TunnelLink
        /// Its place among the handshakes.
        let handshake: HandshakeQueue.Ticket
        init(_ tunnel: AcceptedTunnel, _ link: TunnelLink, _ handshake: HandshakeQueue.Ticket) {
            self.tunnel = tunnel
            self.link = link
            self.handshake = handshake
        }
    }

    private let resources: LoopResources
    private let identities: LoopIdentities
    private let wallClock: () -> Int64
    private var links: [ObjectIdentifier: Entry] = [:]
    private var handshakes: HandshakeQueue
    private let resetBudgets: ResetBudgets
    /// How long streams of a peer run on that is not trusted any more.
    private let grace: Duration
    /// Held by its owner for as long as the acceptor.
    package weak var delegate: (any Delegate)?
    /// Called when a tunnel has ended.
    package var onLinkEnded: (() -> Void)?

    /// - Parameters:
    ///   - grace: how long streams of a peer run on that is not trusted any more.
    ///   - handshakes: how many TLS handshakes may be under way.
    ///   - resetBudgets: what each peer identity may reset.
    ///   - wallClock: seconds since 1970, to judge certificates by.
    package init(
        resources: LoopResources, identities: LoopIdentities, grace: Duration = .seconds(30),
        handshakes: HandshakeLimits = HandshakeLimits(), resetBudgets: ResetBudgets = ResetBudgets(),
        wallClock: @escaping () -> Int64
    ) {
        self.resources = resources
        self.identities = identities
        self.grace = grace
        self.handshakes = HandshakeQueue(handshakes)
        self.resetBudgets = resetBudgets
        self.wallClock = wallClock
    }

    /// Serves a connection that came to `tunnel.localAddress`, with the certificate of `identity`. Why not, if it cannot.
    package func accept(_ socket: consuming TCPSocket, as identity: SPIFFEID, _ tunnel: AcceptedTunnel)
        -> TunnelFailure?
    {
        let credentials: LoopCredentials
        do throws(TunnelFailure) {
            credentials = try identities.credentials(of: identity, role: .server, at: wallClock())
        } catch {
            socket.setResetOnClose()
            return error
        }
        let stream = StreamSocket(accepted: socket, resources: resources)
        var made: TunnelLink?
        do {
            let link = try TunnelLink(
                socket: stream, credentials: credentials, expecting: .anyInTrustedDomains,
                session: try TunnelSession(
                    role: .accepting, limits: resources.tunnelLimits, at: resources.loop.now), at: wallClock(),
                cache: identities.cache, peerText: "\(tunnel.client)", resources: resources, owner: self)
            made = link
            makeRoomForHandshake(of: tunnel)
            let key = ObjectIdentifier(link)
            links[key] = Entry(tunnel, link, handshakes.began(key, enrolment: tunnel.enrolment))
            try link.startAccepted()
            return nil
        } catch {
            stream.reset()
            if let made, let entry = links.removeValue(forKey: ObjectIdentifier(made)) {
                handshakes.ended(entry.handshake)
            }
            return TunnelFailure(.internal, "a tunnel could not be made: \(error)", mayRetryElsewhere: false)
        }
    }

    /// Sheds the oldest handshakes if there are too many: an honest one takes milliseconds, so those that have taken
    /// long are what a slowloris is made of.
    private func makeRoomForHandshake(of tunnel: AcceptedTunnel) {
        while let oldest = handshakes.tooMany(for: tunnel.enrolment) {
            guard let entry = links[oldest] else { return }
            handshakes.ended(entry.handshake)
            entry.link.end(
                TunnelFailure(
                    .limitConnections, "too many TLS handshakes at once; the oldest was given up",
                    mayRetryElsewhere: true))
        }
    }

    /// Certificates, roots or revocations changed: looks at every tunnel again.
    package func reviewTrust() {
        let now = wallClock()
        for entry in Array(links.values) { entry.link.review(identities, at: now, grace: grace) }
    }

    /// Ends those that are still being opened.
    package func giveUpHandshakes() {
        for entry in Array(links.values) where !entry.link.isEstablished {
            entry.link.end(TunnelFailure(.drain, "the agent's drain deadline passed", mayRetryElsewhere: true))
        }
    }

    /// Announces to every peer that there will be no new streams.
    package func drain() {
        for entry in Array(links.values) { entry.link.drain() }
    }

    /// As `drain()`, for the tunnels of one enrolment: its pod is withdrawn.
    package func drain(enrolment: UInt64) {
        for entry in Array(links.values) where entry.tunnel.enrolment == enrolment { entry.link.drain() }
    }

    /// Tunnels that are open or being opened.
    package var count: Int { links.count }

    /// TLS handshakes that are under way.
    package var handshakeCount: Int { handshakes.count }

    /// No tunnel is open or being opened. A peer whose handshake were cut would take that for a failure; one that is
    /// told GOAWAY after it asks somebody else.
    package var isQuiet: Bool { links.isEmpty }

    /// The tunnels, for tests.
    var allLinks: [TunnelLink] { links.values.map(\.link) }

    package func linkEstablished(_ link: TunnelLink) {
        guard let entry = links[ObjectIdentifier(link)] else { return }
        handshakes.ended(entry.handshake)
        if let peer = link.peerIdentity { link.session.share(resetBudgets.budget(of: peer, at: resources.loop.now)) }
        link.review(identities, at: wallClock(), grace: grace)
    }

    package func link(
        _ link: TunnelLink, received request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream
    ) {
        guard let entry = links[ObjectIdentifier(link)], let delegate else { return stream.refuse(status: 503) }
        delegate.received(request, on: stream, of: entry.tunnel)
    }

    package func linkStreamEnded(_ link: TunnelLink) {}

    package func linkSettingsChanged(_ link: TunnelLink) {}

    package func linkDraining(_ link: TunnelLink) {}

    package func linkEnded(_ link: TunnelLink, _ failure: TunnelFailure) {
        guard let entry = links.removeValue(forKey: ObjectIdentifier(link)) else { return }
        handshakes.ended(entry.handshake)
        // The end of a tunnel that worked is nothing to report: its streams tell what it did to them.
        if !link.isEstablished || failure.reason == .h2Abuse { delegate?.tunnelFailed(failure, of: entry.tunnel) }
        onLinkEnded?()
    }
}

/// Where an accepted tunnel comes from and where it came in.
package struct AcceptedTunnel: Hashable, Sendable {
    /// The workload that it is for.
    package let workload: WorkloadUID
    /// Which of the pods that had this name one after the other; counts up within a loop.
    package let enrolment: UInt64
    package let client: ClientAddress
    /// The pod's address that the peer connected to.
    package let localAddress: IPAddress

    package init(workload: WorkloadUID, enrolment: UInt64 = 0, client: ClientAddress, localAddress: IPAddress) {
        self.workload = workload
        self.enrolment = enrolment
        self.client = client
        self.localAddress = localAddress
    }
}
