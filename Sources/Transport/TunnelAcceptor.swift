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
        init(_ tunnel: AcceptedTunnel, _ link: TunnelLink) {
            self.tunnel = tunnel
            self.link = link
        }
    }

    private let resources: LoopResources
    private let identities: LoopIdentities
    private let wallClock: () -> Int64
    private var links: [ObjectIdentifier: Entry] = [:]
    /// Held by its owner for as long as the acceptor.
    package weak var delegate: (any Delegate)?
    /// Called when a tunnel has ended.
    package var onLinkEnded: (() -> Void)?

    /// - Parameter wallClock: seconds since 1970, to judge certificates by.
    package init(resources: LoopResources, identities: LoopIdentities, wallClock: @escaping () -> Int64) {
        self.resources = resources
        self.identities = identities
        self.wallClock = wallClock
    }

    /// Serves a connection that came to `tunnel.localAddress`, with the certificate of `identity`. Why not, if it cannot.
    package func accept(_ socket: consuming TCPSocket, as identity: SPIFFEID, _ tunnel: AcceptedTunnel)
        -> TunnelFailure?
    {
        guard let (context, bundles) = identities.credentials(of: identity, role: .server) else {
            socket.setResetOnClose()
            return TunnelFailure(
                .certificateUnavailable, "no certificate for \(identity) yet; see `meshnode certificates`",
                mayRetryElsewhere: false)
        }
        let verification = PeerVerification(
            expecting: .anyInTrustedDomains, bundles: bundles, at: wallClock(), cache: identities.cache)
        let stream = StreamSocket(accepted: socket, loop: resources.loop, pool: resources.pendingPool)
        var made: TunnelLink?
        do {
            let link = TunnelLink(
                socket: stream, tls: try TLSConnection(context: context, verifier: verification),
                verification: verification,
                session: try TunnelSession(role: .accepting, at: resources.loop.now), peerText: "\(tunnel.client)",
                resources: resources, owner: self)
            made = link
            links[ObjectIdentifier(link)] = Entry(tunnel, link)
            try link.startAccepted()
            return nil
        } catch {
            stream.reset()
            if let made { links[ObjectIdentifier(made)] = nil }
            return TunnelFailure(.internal, "a tunnel could not be made: \(error)", mayRetryElsewhere: false)
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

    /// No tunnel is open; one being opened has nothing to lose.
    package var isQuiet: Bool { links.values.allSatisfy { !$0.link.isEstablished } }

    /// The tunnels, for tests.
    var allLinks: [TunnelLink] { links.values.map(\.link) }

    package func linkEstablished(_ link: TunnelLink) {}

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
