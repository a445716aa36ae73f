internal import Addressing
internal import Bytes
internal import Kernel

/// Copies bytes between each accepted connection and one it opens itself, with plain reads and writes: what a proxy
/// costs that does nothing.
final class PlainRelay: EventHandler {
    /// Where it connects to.
    enum Target {
        case fixed(SocketAddress)
        /// The address to which the client meant to connect, before nftables redirected it, at this port.
        case originalDestination(port: UInt16)
    }

    private let memory: LoadMemory
    private let listener: TCPSocket
    private let target: Target
    private var pairs: [ObjectIdentifier: RelayedPair] = [:]

    init(at address: SocketAddress, to target: Target, memory: LoadMemory) throws(SystemError) {
        self.memory = memory
        self.target = target
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
            case .accepted(let socket, let client): relay(socket, client)
            case .aborted: continue
            case .wouldBlock: return
            case .exhausted: return
            case .failed: return
            }
        }
    }

    private func relay(_ socket: consuming TCPSocket, _ client: SocketAddress) {
        let address: SocketAddress
        switch target {
        case .fixed(let fixed): address = fixed
        case .originalDestination(let port):
            guard let meant = socket.originalDestination(client: client) else { return }
            address = SocketAddress(meant.ip, port)
        }
        do {
            try socket.setNoDelay()
            let upstream = try TCPSocket.make(address.ip.family)
            try upstream.setNoDelay()
            try upstream.connect(to: address)
            let pair = RelayedPair(
                RelayedSide(socket, isConnecting: false), RelayedSide(upstream, isConnecting: true), memory: memory
            ) { [unowned self] in pairs[ObjectIdentifier($0)] = nil }
            pairs[ObjectIdentifier(pair)] = pair
            try pair.start()
        } catch {
            StandardStream.error.write(Array("meshnode-load: \(error)\n".utf8))
        }
    }
}
