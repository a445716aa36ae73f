internal import Addressing
internal import Bytes
internal import HTTP
internal import Identity
package import Kernel
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
    /// The peer takes no new streams; those that run, run on.
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
    private let resources: LoopResources
    let socket: StreamSocket
    private let tls: TLSConnection
    private let verification: PeerVerification
    private let session: TunnelSession
    private var owner: (any TunnelLinkOwner)?
    private var streams: [TunnelStream?] = []
    private var freeTokens: [Int] = []
    /// Places of the session that its owner counts as taken; dialling links only.
    private var occupiedCount = 0
    private var blocked: [TunnelStream] = []
    private var plaintext: LazyBuffer
    private var ciphertext: LazyBuffer
    /// The handshake is over, or was when the link ended.
    private(set) var isEstablished = false
    private var isOver = false
    /// The session failed: it is not asked any more.
    private var isDead = false
    private var isFlushQueued = false
    private var isTurnQueued = false
    private var isTakingEvents = false
    private var isSocketFull = false
    private var timer: TimerID?
    /// When `timer` fires, once established.
    private var timerDeadline = ContinuousClock.Instant.now

    /// The stock that its socket came from; nil for an accepted one.
    var origin: ObjectIdentifier?

    /// What the peer is called in messages: `10.1.2.3:15008`.
    let peerText: String

    /// Reads of the tunnel's socket per turn, so that one tunnel cannot starve the loop.
    private static let readsPerTurn = 4

    init(
        socket: StreamSocket, tls: TLSConnection, verification: PeerVerification, session: TunnelSession,
        peerText: String,
        resources: LoopResources, owner: any TunnelLinkOwner
    ) {
        self.socket = socket
        self.tls = tls
        self.verification = verification
        self.session = session
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

    private static let handshakeTimeout = Duration.seconds(10)

    package func socketConnected(_ socket: StreamSocket) {
        timer = resources.loop.schedule(after: Self.handshakeTimeout, self)
        do throws(TLSError) {
            try tls.startHandshake()
            queueFlush()
        } catch {
            fail(error)
        }
    }

    // MARK: Receiving

    package func socketReadable(_ socket: StreamSocket) {
        var share = Self.readsPerTurn
        while socket.mayRead, !isOver {
            guard share > 0 else { return queueTurn() }
            share -= 1
            var received = resources.makeScratch()
            switch socket.read(into: &received) {
            case .bytes: process(&received)
            case .wouldBlock: return
            case .endOfStream: end(lostFailure("the peer closed the connection"))
            case .failed(let code): end(lostFailure(SystemError.text(of: code)))
            }
        }
    }

    package func ready(_ readiness: Readiness) {
        isTurnQueued = false
        socketReadable(socket)
    }

    private func queueTurn() {
        guard !isTurnQueued else { return }
        isTurnQueued = true
        resources.loop.nextTurn(self)
    }

    private func process(_ received: inout ByteBuffer) {
        var opened = resources.makeScratch()
        while !isOver {
            let progress: TLSProgress
            do throws(TLSError) {
                progress = try received.withReadable { span throws(TLSError) in
                    try tls.process(ciphertext: span, plaintext: &opened)
                }
            } catch {
                return fail(error)
            }
            received.consume(progress.consumed)
            if progress.becameEstablished { established() }
            if !opened.isEmpty {
                opened.withReadable { deliver($0) }
                opened.removeAll()
            }
            switch progress.stop {
            case .outputFull: continue
            case .inputUsedUp: return queueFlush()
            case .closedByPeer: return end(lostFailure("the peer closed the tunnel"))
            }
        }
    }

    private func established() {
        isEstablished = true
        scheduleTimer()
        owner?.linkEstablished(self)
    }

    private func deliver(_ bytes: RawSpan) {
        do throws(TunnelError) {
            try session.receive(bytes, at: resources.loop.now)
            takeEvents(bytes)
        } catch {
            takeEvents(bytes)
            fail(error)
        }
    }

    /// - Parameter bytes: what was given to the session last; payload events point into it.
    private func takeEvents(_ bytes: RawSpan) {
        // What handles an event may send, and sending takes events, too. Those that wait may point into the bytes of
        // the outer call, so they are left to it.
        guard !isTakingEvents else { return }
        isTakingEvents = true
        defer { isTakingEvents = false }
        while !isOver, let event = session.nextEvent(at: resources.loop.now) { handle(event, bytes) }
        tellFreePlaces()
    }

    /// A place is free when the session has closed the stream, which is later than when its user was done with it:
    /// a reset may have to wait before it goes out.
    private func tellFreePlaces() {
        while !isOver, occupiedCount > session.openStreamCount {
            occupiedCount -= 1
            owner?.linkStreamEnded(self)
        }
    }

    private func handle(_ event: TunnelEvent, _ bytes: RawSpan) {
        switch event {
        case .connectRequested(let id): requested(id)
        case .connectAccepted(_, let token): stream(token)?.accepted()
        case .connectRefused(_, let token, let status): remove(token)?.refused(status: status)
        case .data(_, let token, let offset, let count):
            stream(token)?.received(bytes.extracting(offset..<(offset + count)))
        case .finished(_, let token): stream(token)?.finished()
        case .closed(_, let token): remove(token)?.closed()
        case .reset(_, let token, let code, let wasProcessed):
            guard let stream = remove(token) else { return }
            if wasProcessed {
                stream.wasReset()
            } else {
                stream.lost(
                    TunnelFailure(
                        .peerReset, "\(peerText) did not process the stream (\(code))", mayRetryElsewhere: true))
            }
        case .writable(_, let token): stream(token)?.becameWritable()
        case .draining: owner?.linkDraining(self)
        case .settingsReceived: owner?.linkSettingsChanged(self)
        case .pong: break
        }
    }

    private func requested(_ id: StreamID) {
        let request = session.request(of: id)
        let stream = TunnelStream(handler: nil, resources: resources)
        let token = add(stream)
        session.setToken(token, of: id)
        stream.opened(on: self, as: id, token: token)
        owner?.link(self, received: request, on: stream)
    }

    // MARK: Streams

    private func stream(_ token: Int) -> TunnelStream? {
        streams.indices.contains(token) ? streams[token] : nil
    }

    private func add(_ stream: TunnelStream) -> Int {
        if let token = freeTokens.popLast() {
            streams[token] = stream
            return token
        }
        streams.append(stream)
        return streams.count - 1
    }

    @discardableResult
    private func remove(_ token: Int) -> TunnelStream? {
        guard let stream = stream(token) else { return nil }
        streams[token] = nil
        freeTokens.append(token)
        return stream
    }

    /// Sends a CONNECT for `stream`. Throws if the session takes no more.
    func open(_ stream: TunnelStream, _ request: ConnectRequest) throws(TunnelError) {
        guard !isOver else { throw TunnelError(.cannotOpenStream, "the tunnel is over") }
        let token = add(stream)
        do throws(TunnelError) {
            let id = try session.openStream(request, token: token)
            stream.opened(on: self, as: id, token: token)
            occupiedCount += 1
            queueFlush()
        } catch {
            streams[token] = nil
            freeTokens.append(token)
            throw error
        }
    }

    func accept(_ id: StreamID, token: Int) {
        session.accept(id, token: token)
        queueFlush()
    }

    func refuse(_ id: StreamID, token: Int, status: Int) {
        session.refuse(id, status: status)
        remove(token)
        queueFlush()
    }

    func reset(_ id: StreamID, token: Int) {
        session.reset(id, code: .connectError, at: resources.loop.now)
        remove(token)
        queueFlush()
    }

    func consumed(_ id: StreamID, _ count: Int) {
        session.consume(id, count)
        queueFlush()
    }

    // MARK: Sending

    /// Reads from `source` into frames of `stream`, up to what the windows and the outgoing buffer take.
    func send(_ id: StreamID, from source: StreamSocket, for stream: TunnelStream) -> StreamSendResult {
        if isOver { return .blocked }
        if !isSocketFull {
            let result = sendOnce(id, from: source)
            // No window: the session says when there is. Otherwise the outgoing buffer was full in mid-batch: seal
            // what is in it and try once more.
            guard result == .blocked, lacksOnlyRoom(id) else { return result }
            flush()
            if !isOver, !isSocketFull {
                let result = sendOnce(id, from: source)
                guard result == .blocked, lacksOnlyRoom(id) else { return result }
            }
        }
        waitForRoom(stream)
        return .blocked
    }

    /// There is window, so the session will not say when to go on.
    private func lacksOnlyRoom(_ id: StreamID) -> Bool { !isOver && session.sendableCount(id) > 0 }

    private func waitForRoom(_ stream: TunnelStream) {
        guard !stream.isWaitingForRoom, !isOver else { return }
        stream.isWaitingForRoom = true
        blocked.append(stream)
    }

    private func wakeWaiting() {
        guard !isSocketFull, !isOver, !blocked.isEmpty else { return }
        let waiting = blocked
        blocked = []
        for stream in waiting { stream.isWaitingForRoom = false }
        for stream in waiting { stream.becameWritable() }
    }

    private func sendOnce(_ id: StreamID, from source: StreamSocket) -> StreamSendResult {
        var result = StreamSendResult.blocked
        do throws(TunnelError) {
            try plaintext.withBuffer { buffer throws(TunnelError) in
                _ = unsafe try session.sendInPlace(id, limit: Self.readLimit, into: &buffer) { space in
                    let read = unsafe source.read(into: space)
                    result = StreamSendResult(read)
                    if case .bytes(let count) = read { return count }
                    return 0
                }
            }
        } catch {
            fail(error)
        }
        queueFlush()
        return result
    }

    /// Bytes that one stream may put into a batch at a time: four full frames.
    private static let readLimit = 4 * TunnelSession.maxPayload

    func finish(_ id: StreamID) {
        session.finish(id)
        queueFlush()
    }

    private func queueFlush() {
        guard !isFlushQueued, !isOver else { return }
        isFlushQueued = true
        resources.loop.afterBatch(self)
    }

    package func batchEnded() {
        isFlushQueued = false
        flush()
        wakeWaiting()
        closeIfOver()
        // With the first stream the next PING is due sooner, and a reset that has to wait its turn before that.
        if isEstablished, !isOver, session.nextDeadline(at: resources.loop.now) < timerDeadline { scheduleTimer() }
    }

    package func socketDrained(_ socket: StreamSocket, count: Int) {
        guard isSocketFull else { return }
        isSocketFull = false
        session.outputProgressed(at: resources.loop.now)
        flush()
        wakeWaiting()
        // The last bytes of a drained session may have waited for this.
        closeIfOver()
    }

    /// Frames what the session has to say, seals it, and sends, until nothing is left or the socket is full.
    private func flush() {
        while !isOver, !isSocketFull {
            let hadOutput = seal()
            guard !isOver else { return }
            isSocketFull = !ciphertext.withBuffer { socket.flush(&$0) }
            guard hadOutput else { return }
        }
    }

    /// Moves output one step on: control frames to the plaintext, plaintext to the ciphertext. False if there was none.
    private func seal() -> Bool {
        drainSession()
        guard !isOver, tls.hasPendingOutput || (isEstablished && !plaintext.isEmpty) else { return false }
        do throws(TLSError) {
            try sealOnce()
        } catch {
            fail(error)
        }
        return true
    }

    private func drainSession() {
        guard isEstablished, !isDead else { return }
        do throws(TunnelError) {
            try plaintext.withBuffer { buffer throws(TunnelError) in _ = try session.drain(into: &buffer) }
        } catch {
            return fail(error)
        }
        // Sending closes streams, too.
        takeEvents(RawSpan())
    }

    private func sealOnce() throws(TLSError) {
        try ciphertext.withBuffer { sealed throws(TLSError) in
            tls.flushPending(into: &sealed)
            guard isEstablished, !plaintext.isEmpty else { return }
            try plaintext.withBuffer { open throws(TLSError) in
                let taken = try open.withReadable { span throws(TLSError) in try tls.seal(span, into: &sealed) }
                open.consume(taken)
            }
        }
    }

    // MARK: Time

    package func timerFired(at now: ContinuousClock.Instant) {
        timer = nil
        guard isEstablished else {
            return end(
                TunnelFailure(
                    .upstreamTimeout, "TLS handshake with \(peerText) did not finish in time", mayRetryElsewhere: true))
        }
        do throws(TunnelError) {
            try session.timerFired(at: now)
        } catch {
            return fail(error)
        }
        flush()
        scheduleTimer()
        closeIfOver()
    }

    private func scheduleTimer() {
        guard !isOver else { return }
        if let timer { resources.loop.cancel(timer) }
        timerDeadline = session.nextDeadline(at: resources.loop.now)
        timer = resources.loop.schedule(at: timerDeadline, self)
    }

    /// A session that has said its last word and carries nothing is closed.
    private func closeIfOver() {
        guard !isOver, isEstablished, session.isOver, plaintext.isEmpty, ciphertext.isEmpty else { return }
        end(TunnelFailure(.drain, "the tunnel with \(peerText) was drained", mayRetryElsewhere: true))
    }

    // MARK: Ending

    /// Announces the end: no new streams, those that run, run on.
    package func drain() {
        session.goAway()
        queueFlush()
    }

    /// Ends the link now: GOAWAY, close_notify, FIN. Streams that run are lost.
    package func close() {
        session.goAwayNow()
        flush()
        end(TunnelFailure(.drain, "the tunnel with \(peerText) was closed", mayRetryElsewhere: false))
    }

    package func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        let error = SystemError("connect", errorNumber)
        if isEstablished { return end(lostFailure(SystemError.text(of: errorNumber))) }
        let likely = "is it enrolled and its agent running, and does a NetworkPolicy allow TCP port \(MeshPorts.hbone)?"
        end(
            TunnelFailure(
                error.isTimeout ? .upstreamTimeout : .upstreamRefused,
                "tunnel to \(peerText): \(SystemError.text(of: errorNumber)); \(likely)", mayRetryElsewhere: true))
    }

    private func lostFailure(_ text: String) -> TunnelFailure {
        TunnelFailure(.peerReset, "tunnel with \(peerText): \(text)", mayRetryElsewhere: !isEstablished)
    }

    private func fail(_ error: TLSError) {
        // The alert says the peer why, if it can still be sent.
        ciphertext.withBuffer { tls.flushPending(into: &$0) }
        _ = ciphertext.withBuffer { socket.flush(&$0) }
        if let refusal = verification.refusal {
            end(TunnelFailure(refusal.reason, "\(peerText): \(refusal.text)", mayRetryElsewhere: false))
        } else {
            end(TunnelFailure(error.refusalReason, "TLS with \(peerText): \(error)", mayRetryElsewhere: false))
        }
    }

    private func fail(_ error: TunnelError) {
        guard !isDead, !isOver else { return }
        isDead = true
        // The session's last frame is the GOAWAY that tells the peer.
        try? plaintext.withBuffer { buffer throws(TunnelError) in _ = try session.drain(into: &buffer) }
        try? sealOnce()
        let isSilent = error.code == .peerSilent
        end(
            TunnelFailure(
                error.reason, "HTTP/2 with \(peerText): \(error.message)", mayRetryElsewhere: isSilent))
    }

    private func end(_ failure: TunnelFailure) {
        guard !isOver else { return }
        isOver = true
        if let timer { resources.loop.cancel(timer) }
        timer = nil
        if isEstablished {
            ciphertext.withBuffer { tls.close(into: &$0) }
            _ = ciphertext.withBuffer { socket.flush(&$0) }
        }
        socket.close()
        blocked = []
        let lost = streams
        streams = []
        for stream in lost { stream?.lost(failure) }
        let owner = owner
        self.owner = nil
        owner?.linkEnded(self, failure)
    }
}

extension StreamSendResult {
    init(_ result: ReadResult) {
        switch result {
        case .bytes(let count): self = .bytes(count)
        case .wouldBlock: self = .wouldBlock
        case .endOfStream: self = .endOfStream
        case .failed(let code): self = .failed(code)
        }
    }
}

extension TunnelError {
    /// As the log and the metrics name it.
    var reason: Reason {
        switch code {
        case .abuse: .h2Abuse
        case .peerSilent: .upstreamTimeout
        case .http2, .cannotOpenStream: .peerReset
        }
    }
}

extension TLSError {
    /// As the log and the metrics name it, where the peer's certificate was not even looked at.
    var refusalReason: Reason {
        switch code {
        case .badCertificate: .sanMismatch
        default: .peerNotMTLS
        }
    }
}
