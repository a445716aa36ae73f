package import Addressing
internal import CLinux
internal import Glibc

/// The addresses of the interfaces of a network namespace.
package enum InterfaceAddresses {
    /// Those of the calling thread's namespace, without loopback and link-local ones.
    package static func ofThisThread() throws(SystemError) -> Set<IPAddress> {
        var list: UnsafeMutablePointer<ifaddrs>?
        try retrying("getifaddrs") { unsafe getifaddrs(&list) }
        defer { unsafe freeifaddrs(list) }
        var result: Set<IPAddress> = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe address(entry.pointee.ifa_addr), !address.isLoopback, !address.isLinkLocal {
                result.insert(address)
            }
            unsafe next = entry.pointee.ifa_next
        }
        return result
    }

    @unsafe
    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
        guard let pointer = unsafe pointer else { return nil }
        let raw = UnsafeRawPointer(pointer)
        switch unsafe Int32(pointer.pointee.sa_family) {
        case AF_INET:
            return unsafe IPAddress(v4: UInt32(bigEndian: raw.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr))
        case AF_INET6:
            // sin6_addr starts 8 bytes into struct sockaddr_in6 (ipv6(7)).
            return unsafe IPAddress(v6: UInt128(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt128.self)))
        default:
            return nil
        }
    }
}
