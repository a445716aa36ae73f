package import Addressing
internal import CLinux
internal import Glibc

extension TCPSocket {
    /// Sends small writes at once (tcp(7), TCP_NODELAY).
    package borrowing func setNoDelay() throws(SystemError) {
        try setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Finds a peer that vanished, on an idle connection: first probe after `idle`, then every `interval`,
    /// dead after `probes` of them (tcp(7)). Seconds.
    package borrowing func setKeepAlive(idle: Int32, interval: Int32, probes: Int32) throws(SystemError) {
        try setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
        try setOption(Int32(IPPROTO_TCP), TCP_KEEPIDLE, idle)
        try setOption(Int32(IPPROTO_TCP), TCP_KEEPINTVL, interval)
        try setOption(Int32(IPPROTO_TCP), TCP_KEEPCNT, probes)
    }

    /// Writability is told only when less than `count` bytes wait unsent in the kernel (TCP_NOTSENT_LOWAT).
    package borrowing func setUnsentLowWater(_ count: Int32) throws(SystemError) {
        try setOption(Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, count)
    }

    /// Leaves the pace to the window alone (TCP_CONGESTION, `reno`, which every kernel has and everybody may choose).
    package borrowing func setUnpaced() throws(SystemError) {
        let (number, name) = (raw, "reno")
        try retrying("setsockopt") {
            unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_CONGESTION, name, socklen_t(name.utf8.count))
        }
    }

    /// Sets the packet mark (SO_MARK; needs CAP_NET_RAW or CAP_NET_ADMIN).
    package borrowing func setMark(_ mark: UInt32) throws(SystemError) {
        try setOption(SOL_SOCKET, SO_MARK, Int32(bitPattern: mark))
    }

    /// Several sockets in a row may bind the same address while old connections linger.
    package borrowing func setReuseAddress() throws(SystemError) {
        try setOption(SOL_SOCKET, SO_REUSEADDR, 1)
    }

    /// Whether an IPv6 listener leaves IPv4 to others (IPV6_V6ONLY).
    package borrowing func setV6Only(_ isOnly: Bool) throws(SystemError) {
        try setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, isOnly ? 1 : 0)
    }

    /// May bind a foreign source address (IP_TRANSPARENT and IP_FREEBIND; needs CAP_NET_RAW), and takes its
    /// port only at connect, so that ports are not used up per source (IP_BIND_ADDRESS_NO_PORT). ip(7).
    package borrowing func setTransparent(isV6: Bool) throws(SystemError) {
        if isV6 {
            try setOption(Int32(IPPROTO_IPV6), 75, 1)  // IPV6_TRANSPARENT, linux/in6.h
            try setOption(Int32(IPPROTO_IPV6), 78, 1)  // IPV6_FREEBIND, linux/in6.h
        } else {
            try setOption(Int32(IPPROTO_IP), 19, 1)  // IP_TRANSPARENT, linux/in.h
            try setOption(Int32(IPPROTO_IP), 15, 1)  // IP_FREEBIND, linux/in.h
        }
        try setOption(Int32(IPPROTO_IP), 24, 1)  // IP_BIND_ADDRESS_NO_PORT, linux/in.h
    }

    /// Whether `address` is one of the socket's own network namespace: an ordinary socket may be bound to it. Uses the
    /// socket up: what `setTransparent` set is taken back, which needs no privilege.
    package borrowing func provesLocal(_ address: IPAddress) -> Bool {
        do {
            if address.family == .v6 {
                try setOption(Int32(IPPROTO_IPV6), 75, 0)  // IPV6_TRANSPARENT, linux/in6.h
                try setOption(Int32(IPPROTO_IPV6), 78, 0)  // IPV6_FREEBIND, linux/in6.h
            } else {
                try setOption(Int32(IPPROTO_IP), 19, 0)  // IP_TRANSPARENT, linux/in.h
                try setOption(Int32(IPPROTO_IP), 15, 0)  // IP_FREEBIND, linux/in.h
            }
            try bind(to: SocketAddress(address, 0))
            return true
        } catch {
            return false
        }
    }

    borrowing func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(SystemError) {
        var value = value
        let number = raw
        try retrying("setsockopt") {
            unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    borrowing func option(_ level: Int32, _ name: Int32) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let number = raw
        try retrying("getsockopt") { unsafe getsockopt(number, level, name, &value, &length) }
        return value
    }
}
