package import Addressing
import Glibc
package import Kernel

/// A blocking TCP socket: an application that knows nothing of the mesh. Safe to read and write from two threads.
package final class PlainSocket: @unchecked Sendable {
    // @unchecked: `raw` changes only in `close` and `reset`, after the threads that use it have ended.
    private var raw: Int32

    /// How a connection ended, seen by its reader.
    package enum End: Hashable, Sendable {
        case finished
        case reset
        case silent
        case other(Int32)
    }

    package init(_ raw: Int32) {
        self.raw = raw
        var limit = timeval(tv_sec: TestLoop.patience, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    package convenience init(connectedTo address: SocketAddress, from source: IPAddress? = nil) throws {
        let socket = try TCPSocket.make(address.ip.family)
        if let source { try socket.bind(to: SocketAddress(source, 0)) }
        try socket.descriptor.setNonblocking(false)
        try socket.connect(to: address)
        self.init(try socket.descriptor.duplicate().release())
    }

    /// Has sent a SYN, and does not care.
    package convenience init(tryingToReach address: SocketAddress) throws {
        let socket = try TCPSocket.make(address.ip.family)
        try socket.connect(to: address)
        self.init(try socket.descriptor.duplicate().release())
    }

    /// An unconnected nonblocking socket as the keeper makes them, for a stock; -1 if there is none to be had.
    package static func makeUnconnected() -> Int32 {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var isOn: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        return raw
    }

    deinit { if raw >= 0 { Glibc.close(raw) } }

    package var number: Int32 { raw }

    /// False if the connection is broken.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Sends what the kernel takes without waiting; how much that was.
    package func sendAvailable(_ bytes: [UInt8]) -> Int {
        var total = 0
        while true {
            let count = bytes.withUnsafeBytes {
                Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            guard count > 0 else { return total }
            total += count
        }
    }

    /// Exactly `count` bytes, or fewer if the connection ends.
    package func receive(_ count: Int) -> [UInt8] {
        var received: [UInt8] = []
        while received.count < count, case .success(let bytes) = receiveSome(upTo: count - received.count) {
            received += bytes
        }
        return received
    }

    /// Everything until the connection ends, and how it did.
    package func receiveAll() -> (bytes: [UInt8], end: End) {
        var received: [UInt8] = []
        while true {
            switch receiveSome(upTo: 1 << 18) {
            case .success(let bytes): received += bytes
            case .failure(let ended): return (received, ended.end)
            }
        }
    }

    package struct Ended: Error { package let end: End }

    package func receiveSome(upTo count: Int) -> Result<[UInt8], Ended> {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { space, initialized in
            let result = recv(raw, space.baseAddress, space.count, 0)
            if result < 0 { failure = errno }
            initialized = max(0, result)
        }
        if !bytes.isEmpty { return .success(bytes) }
        switch failure {
        case 0: return .failure(Ended(end: .finished))
        case ECONNRESET: return .failure(Ended(end: .reset))
        case EAGAIN: return .failure(Ended(end: .silent))
        default: return .failure(Ended(end: .other(failure)))
        }
    }

    /// Sends FIN.
    package func finish() { shutdown(raw, Int32(SHUT_WR)) }

    /// Little room between `near`, a socket's number, and this one, its peer: a sender soon feels that nobody reads.
    package func narrow(from near: Int32) {
        var size: Int32 = 32 << 10
        setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(near, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    package func close() {
        Glibc.close(raw)
        raw = -1
    }

    /// Sends RST while other threads may still use the socket: they see that it is broken (connect(2), AF_UNSPEC).
    package func abort() {
        var nowhere = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        connect(raw, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Closes with RST.
    package func reset() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(raw, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        close()
    }
}

/// A listening socket.
package final class PlainListener: @unchecked Sendable {
    // @unchecked: both are written once.
    private let raw: Int32
    package let address: SocketAddress

    /// Listens on `address`; port 0 takes a free one.
    package init(
        _ address: SocketAddress = SocketAddress(IPAddress("127.0.0.1")!, 0), backlog: Int32 = 256
    ) throws {
        let socket = try TCPSocket.make(address.ip.family)
        try socket.setReuseAddress()
        // What is accepted inherits it, as on the listeners of a pod.
        try socket.setNoDelay()
        try socket.bind(to: address)
        try socket.listen(backlog: backlog)
        try socket.descriptor.setNonblocking(false)
        guard let bound = socket.localAddress() else { throw TestTimeout(what: "getsockname") }
        self.address = bound
        raw = try socket.descriptor.duplicate().release()
        var limit = timeval(tv_sec: TestLoop.patience, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(raw) }

    /// The next connection, as an application has it.
    package func accept() throws -> PlainSocket {
        let number = Glibc.accept(raw, nil, nil)
        guard number >= 0 else { throw SystemError("accept", errno) }
        return PlainSocket(number)
    }

    /// The next connection, as the data plane has it: nonblocking; the caller owns it.
    package func acceptNonblocking() throws -> Int32 {
        let number = Glibc.accept(raw, nil, nil)
        guard number >= 0 else { throw SystemError("accept", errno) }
        let descriptor = Descriptor(owning: number)
        try descriptor.setNonblocking(true)
        return descriptor.release()
    }

    /// Another descriptor of it, nonblocking, for an event loop.
    package func makeDescriptor() throws -> Descriptor {
        let descriptor = Descriptor(owning: fcntl(raw, F_DUPFD_CLOEXEC, 3))
        try descriptor.setNonblocking(true)
        return descriptor
    }
}

extension TCPSocket {
    /// Takes over a nonblocking socket by its number.
    package init(number: Int32) { self.init(Descriptor(owning: number)) }
}
