package import Addressing
internal import CLinux
internal import Glibc

/// One TCP socket as the kernel lists it.
package struct ListedConnection: Sendable {
    /// The end that is in the namespace.
    package let local: SocketAddress
    /// The other end.
    package let remote: SocketAddress
    fileprivate let family: UInt8
    fileprivate let identity: inet_diag_sockid
}

/// Lists and aborts the TCP connections of the network namespace in which it was opened (sock_diag(7)).
package struct SocketDiagnosis: ~Copyable {
    private let socket: Descriptor

    /// Opens it for the calling thread's namespace.
    package init() throws(SystemError) {
        socket = Descriptor(owning: try retrying("socket NETLINK_SOCK_DIAG") { mn_open_diag() })
    }

    /// The established connections, IPv4 and IPv6, those over loopback included.
    package borrowing func establishedConnections() throws(SystemError) -> [ListedConnection] {
        try dump(AF_INET, state: 1) + dump(AF_INET6, state: 1)
    }

    /// The ports that somebody listens on.
    package borrowing func listeningPorts() throws(SystemError) -> Set<UInt16> {
        Set(try (dump(AF_INET, state: 10) + dump(AF_INET6, state: 10)).map(\.local.port))
    }

    /// Aborts `connection` with a RST to both ends (SOCK_DESTROY); one that is gone is no error.
    /// - Throws: EOPNOTSUPP if the kernel is built without it.
    package borrowing func destroy(_ connection: ListedConnection) throws(SystemError) {
        let number = socket.raw
        var identity = connection.identity
        let family = Int32(connection.family)
        try retrying("SOCK_DESTROY") { unsafe mn_diag_destroy(number, family, &identity) }
        var found: [ListedConnection] = []
        do {
            while try !readReplies(into: &found) {}
        } catch {
            if error.code != ENOENT { throw error }
        }
    }

    /// - Parameter state: a number of net/tcp_states.h: 1 established, 10 listening.
    private borrowing func dump(_ family: Int32, state: UInt32) throws(SystemError) -> [ListedConnection] {
        let number = socket.raw
        try retrying("sock_diag") { mn_diag_dump(number, family, 1 << state) }
        var found: [ListedConnection] = []
        while try !readReplies(into: &found) {}
        return found
    }

    /// Reads one datagram of replies; true when the answer is complete.
    private borrowing func readReplies(into found: inout [ListedConnection]) throws(SystemError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let number = socket.raw
        let count = try retrying("sock_diag") {
            unsafe buffer.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, 0) }
        }
        var rest = buffer[..<count]
        while rest.count >= 16 {
            let header = unsafe rest.withUnsafeBytes { unsafe $0.loadUnaligned(as: nlmsghdr.self) }
            let length = Int(header.nlmsg_len)
            guard length >= 16, length <= rest.count else { throw SystemError("sock_diag", EBADMSG) }
            let body = rest.dropFirst(16).prefix(length - 16)
            switch Int32(header.nlmsg_type) {
            case NLMSG_DONE: return true
            case NLMSG_ERROR:
                guard body.count >= 4 else { throw SystemError("sock_diag", EBADMSG) }
                let code = unsafe -(body.withUnsafeBytes { unsafe $0.loadUnaligned(as: Int32.self) })
                if code != 0 { throw SystemError("sock_diag", code) }
                return true
            default:
                if let connection = Self.connection(body) { found.append(connection) }
            }
            rest = rest.dropFirst(min(rest.count, (length + 3) & ~3))
        }
        return false
    }

    private static func connection(_ body: ArraySlice<UInt8>) -> ListedConnection? {
        guard body.count >= MemoryLayout<inet_diag_msg>.size else { return nil }
        let message = unsafe body.withUnsafeBytes { unsafe $0.loadUnaligned(as: inet_diag_msg.self) }
        let width = Int32(message.idiag_family) == AF_INET ? 4 : 16
        // struct inet_diag_sockid starts 4 bytes into inet_diag_msg: ports, then 16 bytes for each address.
        let start = body.startIndex
        guard let local = IPAddress(networkBytes: body[(start + 8)..<(start + 8 + width)]),
            let remote = IPAddress(networkBytes: body[(start + 24)..<(start + 24 + width)])
        else { return nil }
        return ListedConnection(
            local: SocketAddress(local, UInt16(bigEndian: message.id.idiag_sport)),
            remote: SocketAddress(remote, UInt16(bigEndian: message.id.idiag_dport)),
            family: message.idiag_family, identity: message.id)
    }
}
