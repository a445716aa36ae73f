package import Addressing

extension TCPSocket {
    /// A nonblocking listener at `address`; the wildcard of IPv6 takes IPv4, too.
    /// - Parameter backlog: connections that may wait to be accepted.
    /// - Throws: what bind(2) or listen(2) says, such as EADDRINUSE.
    package static func listener(at address: SocketAddress, backlog: Int32) throws(SystemError) -> Descriptor {
        let socket = try TCPSocket.make(address.ip.family)
        try socket.setReuseAddress()
        if address.ip.family == .v6 { try socket.setV6Only(!address.ip.isUnspecified) }
        try socket.bind(to: address)
        try socket.listen(backlog: backlog)
        return socket.takeDescriptor()
    }
}
