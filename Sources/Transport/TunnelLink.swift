internal import Addressing
internal import Bytes
internal import HTTP
internal import Identity
internal import Kernel
package import Mesh
internal import TLS
package import Tunnel

/// Told what happens to a `TunnelLink`; always on its loop.
package protocol TunnelLinkOwner: AnyObject {
    /// TLS is up and the peer is who it must be.
    func linkEstablished(_ link: TunnelLink)
    /// A peer asks for a stream; accepting links only. The owner redirects the stream and answers it.
    func link(_ link: TunnelLink, received request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream)
    /// A stream ended; there is room for another.
    func linkStreamEnded(_ link: TunnelLink)
    /// The peer said how many streams it takes.
    func linkSettingsChanged(_ link: TunnelLink)
    /// The link takes no new streams; those that run, run on.
    func linkDraining(_ link: TunnelLink)
    /// The link is over; its streams were told.
    func linkEnded(_ link: TunnelLink, _ failure: TunnelFailure)
}

/// One tunnel on the event loop: a socket, TLS over it, HTTP/2 in that, and streams in that.
///
/// However many streams have something to say in one batch of events, their frames are appended to one buffer, sealed
/// once and sent once at the batch's end. An idle link holds no buffer.
///
///     connecting ──> handshaking ──> established ──GOAWAY──> draining ──> over
///          └──────────────┴──────── failure, close ───────────────────────^
package final class TunnelLink: StreamSocketDelegate, EventHandler, BatchFinisher, TimerHandler {
    let resources: LoopResources
    let socket: StreamSocket
    let tls: TLSConnection
    let verification: PeerVerification
    /// What it was made with.
    let credentials: LoopCredentials
    let session: TunnelSession
    var owner: (any TunnelLinkOwner)?
    var streams: [TunnelStream?] = []
    var freeTokens: [Int] = []
    /// Places of the session that its owner counts as taken; dialling links only.
    var occupiedCount = 0
    var blocked: [TunnelStream] = []
    var plaintext: LazyBuffer
    var ciphertext: LazyBuffer
    /// The handshake is over, or was when the link ended.
    var isEstablished = false
    var isOver = false
    /// The session failed: it is not asked any more.
    var isDead = false
    var isFlushQueued = false
    var isTurnQueued = false
    var isTakingEvents = false
    /// Kept for its memory.
    var gathered = GatheredPayload()
    var isSocketFull = false
    var timer: TimerID?
    /// When `timer` fires, once established.
    var timerDeadline = ContinuousClock.Instant.now
    /// When it begins to drain, as its own certificate comes to its end; nil if it does already.
    var retirement: ContinuousClock.Instant?
    /// When its streams are cut, and why; nil while they may run for as long as they like.
    var cut: (deadline: ContinuousClock.Instant, failure: TunnelFailure)?
    /// Of the roots that the peer was checked against last.
    var bundleVersion: UInt64

    /// The stock that its socket came from; nil for an accepted one.
    var origin: ObjectIdentifier?

    /// What the peer is called in messages: `10.1.2.3:15008`.
    let peerText: String

    /// Reads of the tunnel's socket per turn, so that one tunnel cannot starve the loop.
    static let readsPerTurn = 4

    init(
        socket: StreamSocket, credentials: LoopCredentials, expecting expectation: PeerExpectation,
        session: TunnelSession, at secondsSince1970: Int64, cache: VerificationCache, peerText: String,
        resources: LoopResources, owner: any TunnelLinkOwner
    ) throws(TLSError) {
        let verification = PeerVerification(
            expecting: expectation, bundles: credentials.bundles, at: secondsSince1970, cache: cache)
        self.socket = socket
        self.credentials = credentials
        self.verification = verification
        self.session = session
        tls = try TLSConnection(context: credentials.context, verifier: verification)
        bundleVersion = credentials.bundles.version
        self.peerText = peerText
        self.resources = resources
        self.owner = owner
        plaintext = LazyBuffer(pool: resources.plaintextPool)
        ciphertext = LazyBuffer(pool: resources.ciphertextPool)
    }

    /// Who the peer is; nil until the handshake is over.
    package var peerIdentity: SPIFFEID? { isEstablished ? verification.peerIdentity : nil }

    /// Streams that are open now, both directions.
    package var streamCount: Int { session.openStreamCount }

    /// The link takes another stream now.
    package var canOpenStream: Bool { isEstablished && !isOver && session.canOpenStream }

    /// The link is no dying one: it takes streams, as far as it has places.
    var takesMore: Bool { isEstablished && !isOver && !session.isDraining && session.fault == nil }

    /// How many streams the session takes at once.
    package var streamCapacity: Int { session.streamCapacity }

    // MARK: Starting

    /// Serves a connection that was accepted.
    func startAccepted() throws(SystemError) {
        try socket.start(self)
        timer = resources.loop.schedule(after: Self.handshakeTimeout, self)
        socketReadable(socket)
    }

    /// Dials. The outcome is told to the owner.
    func startDialling(
        _ address: SocketAddress, from source: SocketAddress?, timeout: Duration
    ) throws(SystemError) {
        try socket.start(connectingTo: address, from: source, timeout: timeout, self)
    }

    static let handshakeTimeout = Duration.seconds(10)

    package func socketConnected(_ socket: StreamSocket) {
        // PING finds its dead peers.
        socket.tuneForNetwork(findsDeadPeers: false)
        timer = resources.loop.schedule(after: Self.handshakeTimeout, self)
        do throws(TLSError) {
            try tls.startHandshake()
            queueFlush()
        } catch {
            fail(error)
        }
    }
}
