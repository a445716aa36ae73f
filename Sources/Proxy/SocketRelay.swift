internal import Bytes
internal import Kernel
internal import Transport

/// Carries bytes between two sockets: passthrough, and plaintext from outside the mesh to an application.
///
/// Each direction ends on its own: FIN is passed on behind the bytes, and the relay ends when both have ended. A
/// reset of one side becomes a reset of the other. While one side does not take bytes the other is not read.
///
/// Little is copied, much goes through a pipe, inside of the kernel: a direction changes over when it has brought much at
/// once, and back when it has brought little.
final class SocketRelay: Relay, StreamSocketDelegate, EventHandler {
    private let resources: LoopResources
    private let client: StreamSocket
    private let server: StreamSocket
    private var owner: (any RelayOwner)?
    private var hasClientEnded = false
    private var hasServerEnded = false
    private var isQueued = false
    private var bytes = RelayedBytes()
    private var early: EarlyBytes
    private var fromClient = Lane()
    private var fromServer = Lane()

    /// How one direction is carried.
    private struct Lane {
        /// Much comes at once.
        var isBulk = false
        /// What was read and not yet taken by the other side; nil if that is nothing.
        var pipe: SplicePipe?
    }

    /// From how many bytes in one read on the next goes through a pipe, and below how many in a pipe no more.
    private static let (much, little) = (64 * 1024, 16 * 1024)

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

    /// Bytes that were read and that nobody has taken yet.
    var waitingCount: Int {
        client.pendingCount + server.pendingCount + (fromClient.pipe?.count ?? 0) + (fromServer.pipe?.count ?? 0)
    }

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
        while emptyPipe(from: source, to: sink), source.mayRead, sink.pendingCount == 0, sink.isOpen {
            guard share > 0 else {
                queueForNextTurn()
                return false
            }
            share -= 1
            switch read(from: source, to: sink) {
            case .bytes(let count):
                account(count, from: source)
            case .wouldBlock:
                return false
            case .endOfStream:
                // Closing says FIN, too, once the other side has said all.
                if !(hasEnded(sink) && waitingCount == 0) { sink.finish() }
                return true
            case .failed:
                end(.broken(source === client ? .clientReset : .serverReset))
                return false
            }
        }
        return false
    }

    /// Sends what is in the pipe of that direction, and gives the pipe back; false if not all was taken.
    private func emptyPipe(from source: StreamSocket, to sink: StreamSocket) -> Bool {
        guard let pipe = lane(from: source).pipe else { return true }
        sink.send(from: pipe)
        guard pipe.count == 0 else { return false }
        change(source) { $0.pipe = nil }
        resources.pipes.giveBack(pipe)
        return true
    }

    /// Reads once: into a pipe, or through memory to `sink`.
    private func read(from source: StreamSocket, to sink: StreamSocket) -> ReadResult {
        guard lane(from: source).isBulk, let pipe = resources.pipes.take() else {
            var buffer = resources.makeScratch()
            let result = source.read(into: &buffer)
            if case .bytes(let count) = result {
                buffer.withReadable { _ = sink.send($0) }
                change(source) { $0.isBulk = count >= Self.much }
            }
            return result
        }
        let result = source.read(into: pipe)
        guard case .bytes(let count) = result else {
            resources.pipes.giveBack(pipe)
            return result
        }
        change(source) { lane in
            lane.pipe = pipe
            lane.isBulk = count >= Self.little
        }
        return result
    }

    private func lane(from source: StreamSocket) -> Lane { source === client ? fromClient : fromServer }

    private func change(_ source: StreamSocket, _ body: (inout Lane) -> Void) {
        if source === client { body(&fromClient) } else { body(&fromServer) }
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
        guard hasClientEnded, hasServerEnded, waitingCount == 0 else { return }
        end(.finished)
    }

    private func end(_ end: RelayEnd) {
        guard let owner else { return }
        self.owner = nil
        for pipe in [fromClient.pipe, fromServer.pipe] { if let pipe { resources.pipes.giveBack(pipe) } }
        (fromClient, fromServer) = (Lane(), Lane())
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
