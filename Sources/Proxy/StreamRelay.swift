internal import Bytes
internal import Kernel
internal import Transport

/// Carries bytes between an application's socket and a tunnel stream.
///
/// From the socket, bytes are read in place into the tunnel's outgoing records, only as many as the windows
/// allow. Towards the socket, what it does not take waits here, and credit goes back to the peer only for what
/// was written: that is the back-pressure. FIN is END_STREAM and back, a RST is RST_STREAM and back, each
/// direction on its own.
final class StreamRelay: Relay, StreamSocketDelegate, TunnelStreamHandler, EventHandler {
    /// Which side the socket is on: for the account only.
    enum Role {
        /// The socket is the client's: an outbound connection.
        case clientSocket
        /// The socket is the server's: an inbound connection.
        case serverSocket
    }

    private let socket: StreamSocket
    private let stream: TunnelStream
    private var owner: (any RelayOwner)?
    private var bytes = RelayedBytes()
    private var early: EarlyBytes
    // Last, where they have room behind the others: thousands of idle connections have them.
    private let role: Role
    private var hasSocketEnded = false
    private var hasStreamEnded = false
    private var isQueued = false

    /// Takes over an open socket and an open stream. `start` makes it live.
    ///
    /// - Parameter early: what was taken from the socket already, with as much of it as the stream has had.
    init(
        socket: StreamSocket, stream: TunnelStream, role: Role, early: EarlyBytes = EarlyBytes(),
        owner: any RelayOwner
    ) {
        self.early = early
        self.socket = socket
        self.stream = stream
        self.role = role
        self.owner = owner
    }

    /// What was carried so far.
    var relayed: RelayedBytes { bytes }

    func start() {
        socket.redirect(to: self)
        stream.redirect(to: self)
        account(fromSocket: early.count)
        pump()
    }

    /// Ends both sides with a reset.
    func abort() {
        end(.broken(.closedByUs))
    }

    // MARK: From the socket to the stream

    func socketConnected(_ socket: StreamSocket) {}

    func socketReadable(_ socket: StreamSocket) { pump() }

    func ready(_ readiness: Readiness) {
        isQueued = false
        pump()
    }

    func streamWritable() { pump() }

    /// Whether the stream has had all that was taken from the socket before.
    private func hasSentEarly() -> Bool {
        guard !early.isEmpty else { return true }
        let next = early.sending { stream.send($0) }
        early.sent(next)
        guard early.isSent else { return false }
        hasSocketEnded = early.hasEnded
        early = EarlyBytes()
        if hasSocketEnded {
            stream.finish()
            endIfDone()
        }
        return true
    }

    private func pump() {
        guard owner != nil, hasSentEarly() else { return }
        var share = 4
        while owner != nil, !hasSocketEnded, socket.mayRead {
            guard share > 0 else { return queueForNextTurn() }
            share -= 1
            switch stream.send(from: socket) {
            case .bytes(let count):
                account(fromSocket: count)
            case .wouldBlock, .blocked:
                return
            case .endOfStream:
                hasSocketEnded = true
                stream.finish()
                endIfDone()
            case .failed:
                end(.broken(socketSide))
            }
        }
    }

    private func queueForNextTurn() {
        guard !isQueued else { return }
        isQueued = true
        socket.loop.nextTurn(self)
    }

    // MARK: From the stream to the socket

    func streamReceived(_ received: RawSpan) {
        account(fromStream: received.byteCount)
        let written = socket.send(received)
        if written > 0 { stream.consumed(written) }
    }

    func streamReceived(_ received: RawSpan, at places: Span<Range<Int>>) {
        for index in places.indices { account(fromStream: places[index].count) }
        let written = socket.send(received, at: places)
        if written > 0 { stream.consumed(written) }
    }

    func socketDrained(_ socket: StreamSocket, count: Int) {
        if count > 0 { stream.consumed(count) }
        endIfDone()
    }

    func streamFinished() {
        hasStreamEnded = true
        // Closing says FIN, too, once the socket's peer has said all.
        if !isDone { socket.finish() }
        endIfDone()
    }

    // MARK: Ends

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        end(.broken(socketSide))
    }

    func streamReset() {
        end(.broken(role == .clientSocket ? .serverReset : .clientReset))
    }

    func streamLost(_ failure: TunnelFailure) {
        end(.broken(.tunnelLost(failure)))
    }

    func streamAccepted() {}

    func streamRefused(status: Int) {
        end(.broken(role == .clientSocket ? .serverReset : .clientReset))
    }

    private var socketSide: RelayBreak { role == .clientSocket ? .clientReset : .serverReset }

    private func account(fromSocket count: Int) {
        if role == .clientSocket {
            bytes.sent += UInt64(count)
        } else {
            bytes.received += UInt64(count)
        }
    }

    private func account(fromStream count: Int) {
        if role == .clientSocket {
            bytes.received += UInt64(count)
        } else {
            bytes.sent += UInt64(count)
        }
    }

    /// Both directions have ended, and nothing waits.
    private var isDone: Bool { hasSocketEnded && hasStreamEnded && socket.pendingCount == 0 }

    private func endIfDone() {
        if isDone { end(.finished) }
    }

    private func end(_ end: RelayEnd) {
        guard let owner else { return }
        self.owner = nil
        switch end {
        case .finished:
            socket.close()
            stream.release()
        case .broken:
            socket.reset()
            stream.reset()
        }
        owner.relayEnded(end, bytes: bytes)
    }
}
