internal import Bytes
internal import Kernel
internal import Transport

/// Carries bytes between two sockets: passthrough, and plaintext from outside the mesh to an application.
///
/// Each direction ends on its own: FIN is passed on behind the bytes, and the relay ends when both have ended. A
/// reset of one side becomes a reset of the other. While one side does not take bytes the other is not read.
final class SocketRelay: StreamSocketDelegate, EventHandler {
    private let resources: LoopResources
    private let client: StreamSocket
    private let server: StreamSocket
    private var owner: (any RelayOwner)?
    private var hasClientEnded = false
    private var hasServerEnded = false
    private var isQueued = false
    private var bytes = RelayedBytes()
    private var early: EarlyBytes

    /// Takes over both open sockets. `start` makes it live.
    ///
    /// - Parameter early: what was taken from the client already.
    init(
        client: StreamSocket, server: StreamSocket, early: EarlyBytes = EarlyBytes(), resources: LoopResources,
        owner: any RelayOwner
    ) {
        self.client = client
        self.server = server
        self.early = early
        self.resources = resources
        self.owner = owner
    }

    /// What was carried so far.
    var relayed: RelayedBytes { bytes }

    func start() {
        client.redirect(to: self)
        server.redirect(to: self)
        if !early.isEmpty { sendEarly() }
        pump()
    }

    /// The socket keeps what the server does not take.
    private func sendEarly() {
        bytes.sent = UInt64(early.count)
        early.beginAgain()
        _ = early.sending { span in
            _ = server.send(span)
            return span.byteCount
        }
        hasClientEnded = early.hasEnded
        early = EarlyBytes()
        if hasClientEnded { server.finish() }
    }

    /// Ends both sides with RST.
    func abort() {
        end(.broken(.closedByUs))
    }

    // MARK: Events

    func socketConnected(_ socket: StreamSocket) {}

    func socketReadable(_ socket: StreamSocket) { pump() }

    func socketDrained(_ socket: StreamSocket, count: Int) { pump() }

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        end(.broken(socket === client ? .clientReset : .serverReset))
    }

    func ready(_ readiness: Readiness) {
        isQueued = false
        pump()
    }

    // MARK: Carrying

    private func pump() {
        if owner != nil, !hasClientEnded { hasClientEnded = carry(from: client, to: server) }
        if owner != nil, !hasServerEnded { hasServerEnded = carry(from: server, to: client) }
        if owner != nil { endIfDone() }
    }

    /// Moves what there is, up to this turn's share; true if `source` has ended.
    private func carry(from source: StreamSocket, to sink: StreamSocket) -> Bool {
        var share = 4
        while source.mayRead, sink.pendingCount == 0, sink.isOpen {
            guard share > 0 else {
                queueForNextTurn()
                return false
            }
            share -= 1
            var buffer = resources.makeScratch()
            switch source.read(into: &buffer) {
            case .bytes(let count):
                buffer.withReadable { _ = sink.send($0) }
                account(count, from: source)
            case .wouldBlock:
                return false
            case .endOfStream:
                // Closing says FIN, too, once the other side has said all.
                if !(hasEnded(sink) && source.pendingCount == 0 && sink.pendingCount == 0) { sink.finish() }
                return true
            case .failed:
                end(.broken(source === client ? .clientReset : .serverReset))
                return false
            }
        }
        return false
    }

    private func hasEnded(_ socket: StreamSocket) -> Bool {
        socket === client ? hasClientEnded : hasServerEnded
    }

    private func account(_ count: Int, from source: StreamSocket) {
        if source === client {
            bytes.sent += UInt64(count)
        } else {
            bytes.received += UInt64(count)
        }
    }

    private func queueForNextTurn() {
        guard !isQueued else { return }
        isQueued = true
        resources.loop.nextTurn(self)
    }

    private func endIfDone() {
        guard hasClientEnded, hasServerEnded, client.pendingCount == 0, server.pendingCount == 0 else { return }
        end(.finished)
    }

    private func end(_ end: RelayEnd) {
        guard let owner else { return }
        self.owner = nil
        switch end {
        case .finished:
            client.close()
            server.close()
        case .broken:
            client.reset()
            server.reset()
        }
        owner.relayEnded(end, bytes: bytes)
    }
}
