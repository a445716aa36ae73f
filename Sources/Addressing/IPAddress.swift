/// An IPv4 or IPv6 address. An IPv4-mapped IPv6 address is always the IPv4 address it stands for, so
/// no look-up or comparison can be dodged by spelling it the other way.
package struct IPAddress: Hashable, Sendable {
    /// The two versions of the protocol; the mesh knows no third.
    package enum Family: Hashable, Sendable {
        case v4
        case v6
    }

    package let family: Family
    /// The address as a number; for IPv4 the upper 96 bits are zero.
    private let value: UInt128

    /// - Parameter v4: the four bytes as one number, first byte highest (host order of `in_addr`).
    package init(v4: UInt32) {
        self.init(family: .v4, value: UInt128(v4))
    }

    /// - Parameter v6: the sixteen bytes as one number, first byte highest. `::ffff:a.b.c.d` becomes IPv4.
    package init(v6: UInt128) {
        if v6 >> 32 == 0xffff {
            self.init(v4: UInt32(truncatingIfNeeded: v6))
        } else {
            self.init(family: .v6, value: v6)
        }
    }

    private init(family: Family, value: UInt128) {
        self.family = family
        self.value = value
    }

    /// - Parameter networkBytes: 4 or 16 bytes in network order; anything else is nil.
    package init?(networkBytes: some Collection<UInt8>) {
        let number = networkBytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        switch networkBytes.count {
        case 4: self.init(v4: UInt32(truncatingIfNeeded: number))
        case 16: self.init(v6: number)
        default: return nil
        }
    }

    /// The address as a number in host order; only the low 32 bits are used for IPv4.
    package var number: UInt128 { value }

    /// The IPv4 address as a number, first byte highest; nil for IPv6.
    package var v4: UInt32? { family == .v4 ? UInt32(truncatingIfNeeded: value) : nil }

    /// 4 or 16 bytes in network order.
    package var networkBytes: [UInt8] {
        let width = bitWidth
        return stride(from: width - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt128($0)) }
    }

    /// 32 or 128.
    package var bitWidth: Int { family == .v4 ? 32 : 128 }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { family == .v4 ? value >> 24 == 127 : value == 1 }

    /// 0.0.0.0 or ::.
    package var isUnspecified: Bool { value == 0 }

    /// 169.254.0.0/16 or fe80::/10.
    package var isLinkLocal: Bool { family == .v4 ? value >> 16 == 0xa9fe : value >> 118 == 0x3fa }

    /// 224.0.0.0/4 or ff00::/8.
    package var isMulticast: Bool { family == .v4 ? value >> 28 == 0xe : value >> 120 == 0xff }

    /// 0.0.0.0: no address in particular.
    package static let unspecified = IPAddress(v4: 0)
    /// 127.0.0.1.
    package static let loopbackV4 = IPAddress(v4: 0x7f00_0001)
    /// ::1.
    package static let loopbackV6 = IPAddress(v6: 1)
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by number.
    package static func < (lhs: IPAddress, rhs: IPAddress) -> Bool {
        if lhs.family != rhs.family { return lhs.family == .v4 }
        return lhs.value < rhs.value
    }
}
