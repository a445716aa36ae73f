internal import Addressing
internal import CLinux
internal import Glibc

/// A `sockaddr` in the form of the kernel, with conversions from and to `SocketAddress` (ip(7), ipv6(7)).
@safe struct SocketAddressBytes {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    init() {}

    /// - Parameter asV6: write an IPv4 address as `::ffff:a.b.c.d`, for a dual-stack socket.
    init(_ address: SocketAddress, asV6: Bool = false) {
        if let v4 = address.ip.v4, !asV6 {
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = address.port.bigEndian
            value.sin_addr.s_addr = v4.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: value, as: sockaddr_in.self) }
        } else {
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = address.port.bigEndian
            let number = address.ip.v4.map { UInt128($0) | 0xffff << 32 } ?? address.ip.number
            unsafe withUnsafeMutableBytes(of: &value.sin6_addr) {
                unsafe $0.storeBytes(of: number.bigEndian, as: UInt128.self)
            }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: value, as: sockaddr_in6.self) }
        }
    }

    /// The address, mapped IPv4 made IPv4; nil if the family is another.
    var address: SocketAddress? {
        unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let value = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
                return SocketAddress(
                    IPAddress(v4: UInt32(bigEndian: value.sin_addr.s_addr)), UInt16(bigEndian: value.sin_port))
            case AF_INET6:
                let value = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
                let number = unsafe withUnsafeBytes(of: value.sin6_addr) { unsafe $0.loadUnaligned(as: UInt128.self) }
                return SocketAddress(IPAddress(v6: UInt128(bigEndian: number)), UInt16(bigEndian: value.sin6_port))
            default:
                return nil
            }
        }
    }

    mutating func withPointer<R>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> R) -> R {
        unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe withUnsafeMutablePointer(to: &length) { length in
                unsafe body(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), length)
            }
        }
    }
}
