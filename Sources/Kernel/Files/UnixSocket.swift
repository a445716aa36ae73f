internal import CLinux
internal import Glibc

/// Unix sockets by path (unix(7)).
package enum UnixSocket {
    /// What travels on a socket.
    package enum Kind: Sendable {
        /// Bytes.
        case stream
        /// Whole messages: see `MessageSocket`.
        case messages

        fileprivate var number: Int32 {
            switch self {
            case .stream: Int32(SOCK_STREAM.rawValue)
            case .messages: Int32(SOCK_SEQPACKET.rawValue)
            }
        }
    }

    /// What an accept brought.
    package enum AcceptOutcome: ~Copyable {
        case accepted(Descriptor)
        case wouldBlock
        /// Try again later: this one failed, or descriptors are short.
        case failed(SystemError)
    }

    /// A nonblocking listener at `path` with permission bits `mode`. A socket file that nobody listens on any more is
    /// replaced.
    /// - Throws: EADDRINUSE if somebody listens there, or something else than a socket is there.
    package static func listen(
        _ path: String, _ kind: Kind = .stream, mode: UInt32, backlog: Int32 = 128
    ) throws(SystemError) -> Descriptor {
        try removeStale(path, kind)
        let socket = try make(kind)
        let number = socket.raw
        // bind(2) gives the file the mode of the socket, less the umask: so it is never open wider, not for a moment.
        try retrying("fchmod \(path)") { fchmod(number, mode) }
        var (address, length) = try Self.address(of: path)
        try retrying("bind \(path)") {
            unsafe withUnsafePointer(to: &address) {
                unsafe bind(number, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self), length)
            }
        }
        try retrying("chmod \(path)") { unsafe chmod(path, mode) }
        try retrying("listen \(path)") { Glibc.listen(number, backlog) }
        try socket.setNonblocking(true)
        return socket
    }

    /// A connection to the listener at `path`.
    /// - Parameter isNonblocking: the connection does not block, nor does a full backlog: that is EAGAIN.
    /// - Throws: ENOENT or ECONNREFUSED if nobody listens, EACCES if this user may not.
    package static func connect(
        _ path: String, _ kind: Kind = .stream, isNonblocking: Bool = false
    ) throws(SystemError) -> Descriptor {
        let socket = try make(kind)
        if isNonblocking { try socket.setNonblocking(true) }
        let number = socket.raw
        var (address, length) = try Self.address(of: path)
        try retrying("connect \(path)") {
            unsafe withUnsafePointer(to: &address) {
                unsafe Glibc.connect(number, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self), length)
            }
        }
        return socket
    }

    /// Two connected, nonblocking ends.
    package static func makePair() throws(SystemError) -> DescriptorList {
        var pair: (Int32, Int32) = (-1, -1)
        try retrying("socketpair") {
            unsafe withUnsafeMutableBytes(of: &pair) {
                unsafe mn_stream_pair($0.baseAddress?.assumingMemoryBound(to: Int32.self))
            }
        }
        return DescriptorList(owning: [pair.0, pair.1])
    }

    /// Takes the next connection, nonblocking, off a listener's backlog.
    package static func accept(_ listener: borrowing Descriptor) -> AcceptOutcome {
        let number = listener.raw
        let result = interruptible { Int(mn_accept4(number, nil, nil)) }
        if result >= 0 { return .accepted(Descriptor(owning: Int32(result))) }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(SystemError("accept4", code))
    }

    private static func make(_ kind: Kind) throws(SystemError) -> Descriptor {
        let type = kind.number | Int32(SOCK_CLOEXEC.rawValue)
        return Descriptor(owning: try retrying("socket") { socket(AF_UNIX, type, 0) })
    }

    private static func removeStale(_ path: String, _ kind: Kind) throws(SystemError) {
        guard let status = Files.status(path) else { return }
        guard status.isSocket else { throw SystemError("bind \(path)", EADDRINUSE) }
        do {
            _ = try connect(path, kind)
        } catch {
            if error.isConnectionRefused { return try Files.remove(path) }
            throw error
        }
        throw SystemError("bind \(path)", EADDRINUSE)
    }

    private static func address(of path: String) throws(SystemError) -> (sockaddr_un, socklen_t) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room, !bytes.isEmpty, !bytes.contains(0) else {
            throw SystemError("socket path \(path)", ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return (address, socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + 1))
    }
}
