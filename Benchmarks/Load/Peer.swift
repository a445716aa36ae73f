internal import Addressing
internal import Bytes
internal import Kernel

/// Told what happens on a connection, on its loop.
protocol PeerDelegate: AnyObject {
    func peerOpened(_ peer: Peer)
    func peer(_ peer: Peer, received bytes: RawSpan)
    /// FIN came.
    func peerFinished(_ peer: Peer)
    /// The connection is broken, or was never made; it is closed already.
    func peerFailed(_ peer: Peer, _ reason: String)
}

/// The memory of one loop: what is read into, and what is sent.
final class LoadMemory {
    let loop: EventLoop
    let pool = BufferPool(blockSize: 256 * 1024, keepAtMost: 8)
    let filler = [UInt8](repeating: 0x5a, count: 256 * 1024)

    init() throws(SystemError) { loop = try EventLoop() }
}

/// One end of a connection: it sends what it is told to, and tells what comes.
final class Peer: EventHandler {
    private let memory: LoadMemory
    private var socket: TCPSocket?
    private var registration: EventLoop.Registration?
    private weak var delegate: (any PeerDelegate)?
    private var isConnecting: Bool
    private var first: [UInt8] = []
    private var owed = 0
    private var hasPeerClosed = false
    private var isQueued = false

    /// - Parameter isConnecting: whether `peerOpened` is still to come.
    init(_ socket: consuming TCPSocket, isConnecting: Bool, memory: LoadMemory, delegate: any PeerDelegate) {
        self.memory = memory
        self.socket = consume socket
        self.isConnecting = isConnecting
        self.delegate = delegate
    }

    /// Begins to connect to `address`, and tells the outcome.
    static func connecting(
        to address: SocketAddress, memory: LoadMemory, delegate: any PeerDelegate
    ) throws(SystemError) -> Peer {
        let socket = try TCPSocket.make(address.ip.family)
        try socket.setNoDelay()
        try socket.connect(to: address)
        let peer = Peer(socket, isConnecting: true, memory: memory, delegate: delegate)
        try peer.start()
        return peer
    }

    func start() throws(SystemError) {
        guard let number = socket?.raw else { return }
        registration = try memory.loop.register(number, .edge, handler: self)
    }

    /// Sends `message`, then what is owed.
    func send(_ message: [UInt8]) {
        first += message
        write()
    }

    /// Sends `count` bytes more of no meaning.
    func send(count: Int) {
        owed += count
        write()
    }

    /// Closes it; nothing is told any more.
    func close() {
        if let registration { memory.loop.unregister(registration) }
        registration = nil
        delegate = nil
        socket = nil
    }

    func ready(_ readiness: Readiness) {
        isQueued = false
        if isConnecting {
            guard readiness.contains(.writable) || readiness.contains(.error) else { return }
            isConnecting = false
            let code = socket?.connectError() ?? 0
            guard code == 0 else { return fail("connect: \(SystemError.text(of: code))") }
            delegate?.peerOpened(self)
        }
        if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { hasPeerClosed = true }
        write()
        read()
    }

    private func read() {
        var share = 4
        var buffer = memory.pool.makeBuffer()
        while socket != nil {
            guard share > 0 else { return queueForNextTurn() }
            share -= 1
            buffer.removeAll()
            switch socket?.read(into: &buffer) ?? .wouldBlock {
            case .bytes(let count):
                buffer.withReadable { delegate?.peer(self, received: $0) }
                // A short read means drained, unless a FIN is behind it.
                if count < buffer.capacity, !hasPeerClosed { return }
            case .wouldBlock: return
            case .endOfStream:
                delegate?.peerFinished(self)
                return
            case .failed(let code): return fail("read: \(SystemError.text(of: code))")
            }
        }
    }

    private func write() {
        guard !isConnecting else { return }
        while !first.isEmpty {
            switch unsafe socket?.write(first.span.bytes) ?? .wouldBlock {
            case .bytes(let count): first.removeFirst(count)
            case .wouldBlock: return
            case .failed(let code): return fail("write: \(SystemError.text(of: code))")
            }
        }
        while owed > 0 {
            let filler = memory.filler
            let count = min(owed, filler.count)
            switch unsafe socket?.write(filler.span.bytes.extracting(first: count)) ?? .wouldBlock {
            case .bytes(let count): owed -= count
            case .wouldBlock: return
            case .failed(let code): return fail("write: \(SystemError.text(of: code))")
            }
        }
    }

    private func queueForNextTurn() {
        guard !isQueued else { return }
        isQueued = true
        memory.loop.nextTurn(self)
    }

    private func fail(_ reason: String) {
        let delegate = delegate
        close()
        delegate?.peerFailed(self, reason)
    }
}
