package import Addressing
package import Bytes
internal import CLinux
internal import Glibc

/// What a read brought.
package enum ReadResult: Hashable, Sendable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing now; wait for readiness.
    case wouldBlock
    /// The peer's FIN.
    case endOfStream
    /// The connection is broken (a RST, a time-out): the errno.
    case failed(Int32)
}

/// What a write took.
package enum WriteResult: Hashable, Sendable {
    case bytes(Int)
    case wouldBlock
    case failed(Int32)
}

/// What an accept brought.
package enum AcceptResult: ~Copyable {
    case accepted(TCPSocket, client: SocketAddress)
    case wouldBlock
    /// This one failed (it was reset in the backlog): try the next.
    case aborted
    /// The process or the machine has no descriptors or memory left.
    case exhausted(Int32)
    case failed(SystemError)
}

/// A nonblocking TCP socket.
package struct TCPSocket: ~Copyable, Sendable {
    package let descriptor: Descriptor

    /// Takes a descriptor that is a nonblocking TCP socket.
    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// The number of the socket, while this value lives.
    package var raw: Int32 { descriptor.raw }

    // MARK: Opening

    /// An unconnected nonblocking socket in the current network namespace.
    package static func make(_ family: IPAddress.Family) throws(SystemError) -> TCPSocket {
        let domain = family == .v4 ? AF_INET : AF_INET6
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return TCPSocket(Descriptor(owning: try retrying("socket") { socket(domain, type, Int32(IPPROTO_TCP)) }))
    }

    /// Gives the socket its own address; port 0 lets the kernel choose.
    /// - Parameter asV6: writes an IPv4 address as an IPv4-mapped one, as a socket of both families needs it.
    /// - Throws: EADDRINUSE, EADDRNOTAVAIL for an address that is not here (unless IP_TRANSPARENT), EACCES for a low port.
    package borrowing func bind(to address: SocketAddress, asV6: Bool = false) throws(SystemError) {
        var bytes = SocketAddressBytes(address, asV6: asV6)
        let number = raw
        try retrying("bind \(address)") { unsafe bytes.withPointer { unsafe Glibc.bind(number, $0, $1.pointee) } }
    }

    /// Makes it a listener.
    /// - Parameter backlog: connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
    package borrowing func listen(backlog: Int32) throws(SystemError) {
        let number = raw
        try retrying("listen") { Glibc.listen(number, backlog) }
    }

    /// Starts to connect; the outcome comes with writability and `connectError`. An immediate failure throws.
    package borrowing func connect(to address: SocketAddress) throws(SystemError) {
        var bytes = SocketAddressBytes(address)
        let result = unsafe bytes.withPointer { unsafe Glibc.connect(raw, $0, $1.pointee) }
        if result == 0 { return }
        let code = errno
        if code == EINPROGRESS || code == EINTR { return }
        throw SystemError("connect \(address)", code)
    }

    /// The outcome of a connect (SO_ERROR): 0, or the errno that it failed with. Reading it clears it.
    package borrowing func connectError() -> Int32 {
        (try? option(SOL_SOCKET, SO_ERROR)) ?? EBADF
    }

    /// Takes the next connection off a listener's backlog.
    package borrowing func accept() -> AcceptResult {
        var bytes = SocketAddressBytes()
        while true {
            let number = unsafe bytes.withPointer { unsafe mn_accept4(raw, $0, $1) }
            if number >= 0 {
                let socket = TCPSocket(Descriptor(owning: number))
                guard let client = bytes.address else { return .aborted }
                return .accepted(socket, client: client)
            }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH, EPERM: return .aborted
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(code)
            default: return .failed(SystemError("accept4", code))
            }
        }
    }

    // MARK: Addresses

    /// Its own address (getsockname(2)); on a transparently redirected socket the address that the client meant.
    /// Nil if the socket is in error.
    package borrowing func localAddress() -> SocketAddress? {
        var bytes = SocketAddressBytes()
        return unsafe bytes.withPointer { unsafe getsockname(raw, $0, $1) } == 0 ? bytes.address : nil
    }

    /// The other end's address (getpeername(2)); nil unless connected.
    package borrowing func peerAddress() -> SocketAddress? {
        var bytes = SocketAddressBytes()
        return unsafe bytes.withPointer { unsafe getpeername(raw, $0, $1) } == 0 ? bytes.address : nil
    }

    /// Where the connection was going before nftables redirected it; nil if it was not redirected.
    /// SO_ORIGINAL_DST, at SOL_IP for an IPv4 peer and at SOL_IPV6 for an IPv6 one; the other level is ENOENT.
    package borrowing func originalDestination(client: SocketAddress) -> SocketAddress? {
        let level = client.ip.family == .v4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6)
        var bytes = SocketAddressBytes()
        let result = unsafe bytes.withPointer {
            unsafe getsockopt(raw, level, Int32(MN_SO_ORIGINAL_DST), $0, $1)
        }
        return result == 0 ? bytes.address : nil
    }

    // MARK: Bytes

    /// Appends what is there to `buffer`, as much as fits and `limit` bytes at most.
    package borrowing func read(into buffer: inout ByteBuffer, atMost limit: Int = .max) -> ReadResult {
        var code: Int32 = 0
        var isEnd = false
        let count = unsafe buffer.withUnsafeWritable { space in
            guard let base = space.baseAddress, space.count > 0 else { return 0 }
            let result = interruptible { unsafe recv(raw, base, min(space.count, limit), 0) }
            if result < 0 { code = errno }
            isEnd = result == 0
            return max(0, result)
        }
        if count > 0 { return .bytes(count) }
        if isEnd { return .endOfStream }
        return code == EAGAIN || code == 0 ? .wouldBlock : .failed(code)
    }

    /// Reads into up to `vectors.count` places with one call (readv(2)).
    @unsafe
    package borrowing func read(into vectors: UnsafeMutableBufferPointer<IOVector>) -> ReadResult {
        let result = interruptible {
            unsafe readv(
                raw, UnsafeRawPointer(vectors.baseAddress)?.assumingMemoryBound(to: iovec.self), Int32(vectors.count))
        }
        if result > 0 { return .bytes(result) }
        if result == 0 { return .endOfStream }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    /// Writes from `bytes` as much as the socket takes, without SIGPIPE.
    package borrowing func write(_ bytes: RawSpan) -> WriteResult {
        guard bytes.byteCount > 0 else { return .bytes(0) }
        let result = unsafe bytes.withUnsafeBytes { source in
            interruptible { unsafe send(raw, source.baseAddress, source.count, Int32(MSG_NOSIGNAL)) }
        }
        if result >= 0 { return .bytes(result) }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    /// As `write(_:)`, of those places in `bytes`, one behind the other, with one call (sendmsg(2)); of the first
    /// `mostPlaces` if there are more.
    package borrowing func write(_ bytes: RawSpan, at places: Span<Range<Int>>) -> WriteResult {
        guard places.count > 1 else {
            return places.isEmpty ? .bytes(0) : write(bytes.extracting(places[0]))
        }
        let count = min(places.count, Self.mostPlaces)
        let result = unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            unsafe bytes.withUnsafeBytes { source in
                for index in 0..<count {
                    let place = places[index].clamped(to: 0..<source.count)
                    let part = unsafe UnsafeRawBufferPointer(rebasing: source[place])
                    unsafe vectors.initializeElement(
                        at: index,
                        to: iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count))
                }
                var message = unsafe msghdr()
                unsafe message.msg_iov = vectors.baseAddress
                unsafe message.msg_iovlen = count
                return interruptible { unsafe sendmsg(raw, &message, Int32(MSG_NOSIGNAL)) }
            }
        }
        if result >= 0 { return .bytes(result) }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    /// Places that one call writes: a batch of full frames has 16; the kernel takes 1,024 (UIO_MAXIOV).
    package static let mostPlaces = 64

    /// Sends FIN.
    package borrowing func shutdownWrite() {
        shutdown(raw, Int32(SHUT_WR))
    }

    /// Makes the coming close send RST instead of FIN (SO_LINGER with time 0).
    package borrowing func setResetOnClose() {
        var value = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(raw, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }
}

/// One place for readv(2), laid out as `struct iovec`.
@unsafe package struct IOVector {
    package var base: UnsafeMutableRawPointer?
    package var count: Int

    package init(base: UnsafeMutableRawPointer?, count: Int) {
        unsafe self.base = base
        unsafe self.count = count
    }
}

/// Repeats a call that a signal interrupted.
func interruptible(_ body: () -> Int) -> Int {
    while true {
        let result = body()
        if result >= 0 || errno != EINTR { return result }
    }
}
