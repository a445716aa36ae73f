internal import Addressing
internal import Kernel

/// Serves the orders of clients until it is ended.
final class LoadServer: EventHandler {
    private let memory: LoadMemory
    private let listener: TCPSocket
    private var served: [ObjectIdentifier: ServedConnection] = [:]

    init(at address: SocketAddress, memory: LoadMemory) throws(SystemError) {
        self.memory = memory
        listener = TCPSocket(try TCPSocket.listener(at: address, backlog: 4096))
    }

    /// Where it listens.
    var address: SocketAddress? { listener.localAddress() }

    /// Serves until its loop is stopped.
    func run() throws(SystemError) {
        _ = try memory.loop.register(listener.raw, .level, handler: self)
        StandardStream.output.write(Array("listening\n".utf8))
        try memory.loop.run()
    }

    func ready(_ readiness: Readiness) {
        while true {
            switch listener.accept() {
            case .accepted(let socket, _): serve(socket)
            case .aborted: continue
            case .wouldBlock: return
            case .exhausted: return
            case .failed: return
            }
        }
    }

    private func serve(_ socket: consuming TCPSocket) {
        do {
            try socket.setNoDelay()
            let connection = ServedConnection { [unowned self] in served[ObjectIdentifier($0)] = nil }
            try connection.start(Peer(socket, isConnecting: false, memory: memory, delegate: connection))
            served[ObjectIdentifier(connection)] = connection
        } catch {
            StandardStream.error.write(Array("meshnode-load: \(error)\n".utf8))
        }
    }
}

/// One connection of the server.
final class ServedConnection: PeerDelegate {
    private let ended: (ServedConnection) -> Void
    private var peer: Peer?
    private var message: [UInt8] = []
    private var order: Order?
    private var unanswered = 0

    /// - Parameter ended: called once the connection is closed.
    init(ended: @escaping (ServedConnection) -> Void) { self.ended = ended }

    func start(_ peer: Peer) throws(SystemError) {
        self.peer = peer
        try peer.start()
    }

    func peerOpened(_ peer: Peer) {}

    func peer(_ peer: Peer, received bytes: RawSpan) {
        var count = bytes.byteCount
        if order == nil {
            let missing = min(count, Order.messageSize - message.count)
            for index in 0..<missing { unsafe message.append(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
            count -= missing
            guard message.count == Order.messageSize else { return }
            guard let order = Order(message) else { return end() }
            begin(order)
        }
        answer(count)
    }

    private func begin(_ order: Order) {
        self.order = order
        switch order.kind {
        case .echo: peer?.send(count: Order.messageSize)
        case .download: peer?.send(count: order.count)
        case .upload: break
        }
    }

    private func answer(_ count: Int) {
        guard let order, count > 0 else { return }
        unanswered += count
        switch order.kind {
        case .echo:
            let messages = unanswered / Order.messageSize
            unanswered -= messages * Order.messageSize
            if messages > 0 { peer?.send(count: messages * Order.messageSize) }
        case .upload:
            if unanswered == order.count { peer?.send(count: 1) }
        case .download: break
        }
    }

    func peerFinished(_ peer: Peer) { end() }

    func peerFailed(_ peer: Peer, _ reason: String) { end() }

    private func end() {
        peer?.close()
        peer = nil
        ended(self)
    }
}
