internal import Bytes
internal import HTTP
internal import Kernel
package import Mesh
internal import Tunnel

/// What came of `TunnelStream.send`.
package enum StreamSendResult: Hashable, Sendable {
    /// So many bytes were read from the socket and are on their way.
    case bytes(Int)
    /// The socket has nothing now.
    case wouldBlock
    /// The peer or the network takes no more now; `streamWritable` follows.
    case blocked
    /// The socket's peer sent FIN.
    case endOfStream
    /// The socket is broken: the errno.
    case failed(Int32)
}

/// One CONNECT stream in a tunnel, from when it is wanted until both directions have ended or it was cut.
///
/// What the peer sends before a relay takes over (`redirect`) waits here, bounded by the stream's window, for no credit
/// goes back: nothing of it is forwarded if the connection is refused in the end.
package final class TunnelStream {
    // The large ones first, so that there is no room between them: thousands of idle streams have them.
    private var handler: (any TunnelStreamHandler)?
    private var early = ByteQueue()
    private var link: TunnelLink?
    private var helper = Helper.none
    /// Who the peer is, from its verified certificate; nil until there is a tunnel.
    package private(set) var peerIdentity: SPIFFEID?
    private(set) var id: StreamID?
    private var isRelaying = false
    private var hasFinishedEarly = false
    private var isAnswered = false
    private var hasFinished = false
    /// Payload was sent on the stream's present tunnel.
    private var hasSent = false
    /// The tunnel has noted that the stream waits for room in the outgoing buffer.
    var isWaitingForRoom = false
    /// The peer ended its direction and takes nothing more.
    private var isDiscarding = false
    private var token: Int32 = 0
    /// Bytes that the application took while the window was the first; of a stream that is discarding, those that were
    /// thrown away.
    private var counted: Int32 = 0

    /// What a stream needs for some of its life, never both.
    private enum Helper {
        case none
        /// Who looks for a tunnel for it, until the peer has answered; not for a stream that a peer opened.
        case waiter(TunnelWaiter)
        /// Its window beyond the first, from when it takes much.
        case window(StreamWindow)
    }

    init(handler: (any TunnelStreamHandler)?) {
        self.handler = handler
    }

    /// From now on tells `handler` of everything but payload and FIN, which wait for `redirect`.
    package func attend(_ handler: any TunnelStreamHandler) {
        self.handler = handler
    }

    /// From now on tells `handler`, and gives it what waited.
    package func redirect(to handler: any TunnelStreamHandler) {
        self.handler = handler
        isRelaying = true
        while !early.isEmpty, isRelaying {
            let count = early.withFront { span in
                self.handler?.streamReceived(span)
                return span.byteCount
            }
            early.consume(count)
        }
        if hasFinishedEarly { self.handler?.streamFinished() }
    }

    // MARK: What its user does

    /// Reads from `socket` straight into the tunnel's next records, as much as the windows allow.
    package func send(from socket: StreamSocket) -> StreamSendResult {
        guard let link else { return .blocked }
        guard let id else { return discard(from: socket, link.resources) }
        return link.send(id, from: socket, for: self)
    }

    /// What is still sent to a peer that takes no more. Who does not stop is cut, as TCP would do it.
    private func discard(from socket: StreamSocket, _ resources: LoopResources) -> StreamSendResult {
        guard isDiscarding else { return .blocked }
        guard counted <= Self.mostDiscarded else {
            wasReset()
            return .blocked
        }
        var scratch = resources.makeScratch()
        let result = StreamSendResult(socket.read(into: &scratch))
        guard case .bytes(let count) = result else { return result }
        counted = Int32(clamping: Int(counted) + count)
        return .bytes(0)
    }

    /// Bytes that are read and thrown away, so that those under way to the application are not lost by a reset.
    private static let mostDiscarded: Int32 = 1 << 20

    /// Sends what the windows take of `bytes`, by copying; `streamWritable` follows if that is not all. What a peer takes
    /// no more is thrown away.
    ///
    /// - Returns: how many bytes were taken.
    package func send(_ bytes: RawSpan) -> Int {
        guard let link else { return 0 }
        guard let id else { return isDiscarding ? bytes.byteCount : 0 }
        let count = link.send(id, bytes, for: self)
        if count > 0 { hasSent = true }
        return count
    }

    /// Ends our direction.
    package func finish() {
        hasFinished = true
        guard let link, let id else { return }
        link.finish(id)
    }

    /// So many received bytes were written to where they go: the peer may send as many more.
    package func consumed(_ count: Int) {
        guard let link, let id else { return }
        adaptWindow(to: count, link, id)
        link.consumed(id, count)
    }

    /// Before credit is given for what was taken, or withheld.
    private func adaptWindow(to count: Int, _ link: TunnelLink, _ id: StreamID) {
        if case .window(let window) = helper {
            guard let size = window.took(count, at: link.resources.loop.now) else { return }
            link.session.setStreamWindow(id, Int32(clamping: size))
        } else {
            counted = Int32(clamping: Int(counted) + count)
            guard counted >= StreamWindow.worthwhileCount else { return }
            helper = .window(StreamWindow(at: link.resources.loop.now, of: link.resources.windows))
        }
    }

    /// Answers 200.
    package func accept() {
        guard let link, let id else { return }
        link.accept(id, token: Int(token))
    }

    /// Answers with `status` and ends the stream.
    package func refuse(status: Int) {
        guard let link, let id else { return }
        link.refuse(id, token: Int(token), status: status)
        release()
    }

    /// Cuts the stream. Nothing is told any more.
    package func reset() {
        if let link, let id {
            link.reset(id, token: Int(token))
        } else {
            if case .waiter(let waiter) = helper { waiter.abandoned() }
        }
        release()
    }

    /// Both directions have ended, or nobody cares: nothing is told any more.
    package func release() {
        handler = nil
        isRelaying = false
        helper = .none
        link = nil
        id = nil
        early.consume(early.count)
    }

    // MARK: What its tunnel does

    /// `waiter` looks for a tunnel for it.
    func waits(with waiter: TunnelWaiter) { helper = .waiter(waiter) }

    func opened(on link: TunnelLink, as id: StreamID, token: Int) {
        self.link = link
        self.id = id
        self.token = Int32(clamping: token)
        peerIdentity = link.peerIdentity
        hasSent = false
        handler?.streamOpened(self)
    }

    /// The stream is over, and its token is another's from now on. What it brought may still wait to be written. If our
    /// direction had not ended, the peer wants none of it.
    func closed() {
        id = nil
        isWaitingForRoom = false
        guard !hasFinished else { return }
        isDiscarding = true
        counted = 0
        handler?.streamWritable()
    }

    func accepted() {
        isAnswered = true
        helper = .none
        handler?.streamAccepted()
    }

    func refused(status: Int) {
        let handler = handler
        release()
        handler?.streamRefused(status: status)
    }

    /// Payload in those places of `bytes`.
    func received(_ bytes: RawSpan, at places: Span<Range<Int>>) {
        if isRelaying {
            handler?.streamReceived(bytes, at: places)
        } else if handler != nil, let pool = link?.resources.pendingPool {
            for index in places.indices { early.append(bytes.extracting(places[index]), in: pool) }
        }
    }

    func finished() {
        if isRelaying {
            handler?.streamFinished()
        } else {
            hasFinishedEarly = true
        }
    }

    func wasReset() {
        let handler = handler
        release()
        handler?.streamReset()
    }

    /// The peer did not look at the stream, or its tunnel went before it was answered.
    ///
    /// - Parameter isCertain: the peer says that it did not; otherwise it may have passed on what was sent.
    func unprocessed(_ failure: TunnelFailure, isCertain: Bool) {
        if isCertain { hasSent = false }
        guard !isAnswered, !hasSent, handler != nil, case .waiter(let waiter) = helper else { return lost(failure) }
        link = nil
        id = nil
        isWaitingForRoom = false
        if !waiter.missed() { lost(failure) }
    }

    /// What was sent may have reached the application: then nobody may send it again.
    func lost(_ failure: TunnelFailure) {
        let handler = handler
        release()
        handler?.streamLost(hasSent ? failure.final : failure)
    }

    func becameWritable() { handler?.streamWritable() }
}
