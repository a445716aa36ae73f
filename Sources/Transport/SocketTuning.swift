package import Kernel

/// The numbers of TCP for connections that may leave the node.
package enum SocketTuning {
    /// Seconds of silence until the kernel asks whether the peer lives, between its questions, and how many go unanswered
    /// until the connection is dead: two minutes in all, below the idle time-outs of common middleboxes.
    static let idle: Int32 = 60
    static let interval: Int32 = 10
    static let probes: Int32 = 6
    /// Unsent bytes in the kernel up to which a socket is writable; one batch of a tunnel. More would only be stale
    /// when the window closes, and would keep PING answers waiting behind it.
    static let unsentLowWater: Int32 = 512 << 10

    /// For a connection that does not leave the node: between it and an application there is nothing to be congested,
    /// and a host's BBR would pace it by timers, at a fifth of the cost of bulk.
    package static func applyWithinNode(to socket: borrowing TCPSocket) {
        try? socket.setUnpaced()
    }

    /// Puts them on a listener: what is accepted inherits them (tcp(7)), at no call per connection.
    package static func apply(to listener: borrowing TCPSocket) {
        try? listener.setKeepAlive(idle: idle, interval: interval, probes: probes)
        try? listener.setUnsentLowWater(unsentLowWater)
    }
}
