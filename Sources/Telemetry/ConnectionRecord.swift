package import Addressing
package import Mesh

/// A moment on both clocks: the monotonic one for durations, the wall's for people.
package struct Moment: Hashable, Sendable {
    package var instant: ContinuousClock.Instant
    /// Wall time in seconds, leap seconds not counted.
    package var secondsSince1970: Int64

    package init(instant: ContinuousClock.Instant, secondsSince1970: Int64) {
        self.instant = instant
        self.secondsSince1970 = secondsSince1970
    }
}

/// One connection as its proxy saw it: what the access log, the metrics and `meshnode connections` tell.
package struct ConnectionRecord: Hashable, Sendable {
    /// Seen from the workload on this node.
    package enum Direction: String, Hashable, Sendable, CaseIterable {
        case outbound
        case inbound
    }

    /// How the connection is (or would have been) carried between the nodes.
    package enum Security: String, Hashable, Sendable, CaseIterable {
        case mutualTLS = "mutual_tls"
        case plaintext = "plaintext"
    }

    /// Names it on its node and, but for a chance in millions, in the mesh.
    package var id: UInt64
    package var direction: Direction
    package var security: Security
    /// The client.
    package var source: PeerFacts
    /// The server; its address is the application's, not the service's.
    package var destination: PeerFacts
    /// Both ends are on this node and joined by its agent: checked as in a tunnel, and without one.
    package var isSameNode = false
    /// Where the tunnel ends, if there is one.
    package var hboneAddress: SocketAddress?
    /// The service that the client addressed, if it was one.
    package var service: NamespacedName?
    /// The full hostname of that service.
    package var hostname: String?
    /// Towards the client, in bytes of the application.
    package var bytesSent: UInt64 = 0
    /// From the client, in bytes of the application.
    package var bytesReceived: UInt64 = 0
    package var openedAt: Moment
    /// Nil while it is open.
    package var closedAt: Moment?
    /// The policy that decided, if one did.
    package var policy: NamespacedName?
    /// Why it was refused or cut; nil if it ended by itself.
    package var reason: Reason?
    /// A sentence that tells the reason in this case.
    package var detail: String?
    /// Why the destination was not reached through a tunnel, if it was not.
    package var passthroughReason: PlaintextRoute.Cause?
    /// Where the client connected to, before a route was chosen; outbound only.
    package var requested: SocketAddress?
    /// What the policies were asked about; nil where none was asked, as for outbound connections.
    package var facts: ConnectionFacts?
    /// The version of the mesh's state that the decision was made on; 0 if none had come.
    package var snapshotVersion: UInt64 = 0
    /// AUDIT policies that matched.
    package var audited: [NamespacedName] = []
    /// What policies in dry run would have done.
    package var dryRun: [DryRunOutcome] = []

    package init(
        id: UInt64, direction: Direction, security: Security, source: PeerFacts, destination: PeerFacts,
        hboneAddress: SocketAddress? = nil, service: NamespacedName? = nil, hostname: String? = nil, openedAt: Moment
    ) {
        self.id = id
        self.direction = direction
        self.security = security
        self.source = source
        self.destination = destination
        self.hboneAddress = hboneAddress
        self.service = service
        self.hostname = hostname
        self.openedAt = openedAt
    }

    /// How long it lasted; nil while it is open.
    package var duration: Duration? { closedAt.map { openedAt.instant.duration(to: $0.instant) } }
}
