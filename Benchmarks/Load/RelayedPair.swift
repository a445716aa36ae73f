internal import Bytes
internal import Kernel

/// One socket of a relayed connection, and what could not be written to it yet.
final class RelayedSide: EventHandler {
    var socket: TCPSocket?
    var registration: EventLoop.Registration?
    weak var pair: RelayedPair?
    var isConnecting: Bool
    var hasPeerClosed = false
    /// FIN was read from it.
    var hasEnded = false
    /// It may have bytes to read.
    var isReadable = false
    var unwritten: ByteBuffer?

    init(_ socket: consuming TCPSocket, isConnecting: Bool) {
        self.socket = consume socket
        self.isConnecting = isConnecting
    }

    func ready(_ readiness: Readiness) {
        if isConnecting {
            guard readiness.contains(.writable) || readiness.contains(.error) else { return }
            isConnecting = false
            guard socket?.connectError() == 0 else {
                pair?.end()
                return
            }
        }
        if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { hasPeerClosed = true }
        if readiness.contains(.readable) || hasPeerClosed { isReadable = true }
        pair?.pump()
    }
}

/// Both sockets of a relayed connection.
final class RelayedPair: EventHandler {
    private let client: RelayedSide
    private let server: RelayedSide
    private let memory: LoadMemory
    private let ended: (RelayedPair) -> Void
    private var isQueued = false

    init(_ client: RelayedSide, _ server: RelayedSide, memory: LoadMemory, ended: @escaping (RelayedPair) -> Void) {
        self.client = client
        self.server = server
        self.memory = memory
        self.ended = ended
    }

    func start() throws(SystemError) {
        for side in [client, server] {
            side.pair = self
            guard let number = side.socket?.raw else { continue }
            side.registration = try memory.loop.register(number, .edge, handler: side)
        }
    }

    func ready(_ readiness: Readiness) {
        isQueued = false
        pump()
    }

    func pump() {
        guard !server.isConnecting else { return }
        carry(from: client, to: server)
        carry(from: server, to: client)
        if client.hasEnded, server.hasEnded, client.unwritten == nil, server.unwritten == nil { end() }
    }

    /// Closes both; a broken one breaks the other.
    func end() {
        for side in [client, server] {
            if let registration = side.registration { memory.loop.unregister(registration) }
            side.registration = nil
            side.socket = nil
            side.unwritten = nil
        }
        ended(self)
    }

    private func carry(from source: RelayedSide, to sink: RelayedSide) {
        var share = 4
        if sink.unwritten != nil, !flush(sink, behind: source) { return }
        while source.isReadable, !source.hasEnded, source.socket != nil {
            guard share > 0 else { return queueForNextTurn() }
            share -= 1
            var buffer = memory.pool.makeBuffer()
            switch source.socket?.read(into: &buffer) ?? .wouldBlock {
            case .bytes(let count):
                if count < buffer.capacity, !source.hasPeerClosed { source.isReadable = false }
                sink.unwritten = consume buffer
                if !flush(sink, behind: source) { return }
            case .wouldBlock: source.isReadable = false
            case .endOfStream:
                source.hasEnded = true
                sink.socket?.shutdownWrite()
            case .failed: return end()
            }
        }
    }

    /// Writes what waits for `sink`; true if nothing waits any more.
    private func flush(_ sink: RelayedSide, behind source: RelayedSide) -> Bool {
        guard var buffer = sink.unwritten.take() else { return true }
        while !buffer.isEmpty {
            switch buffer.withReadable({ sink.socket?.write($0) }) ?? .wouldBlock {
            case .bytes(let count): buffer.consume(count)
            case .wouldBlock:
                sink.unwritten = consume buffer
                return false
            case .failed:
                end()
                return false
            }
        }
        return true
    }

    private func queueForNextTurn() {
        guard !isQueued else { return }
        isQueued = true
        memory.loop.nextTurn(self)
    }
}
