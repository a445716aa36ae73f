import Addressing
import Mesh

/// The matches and statements of the ruleset, each under the words that nft has for it.
extension [RuleExpression] {
    /// `iifname NAME`
    static func arrives(on interface: String) -> Self {
        [.meta(.inputName, into: .one), .compare(.one, .equal, paddedName(interface))]
    }

    /// `oifname NAME`
    static func leaves(on interface: String) -> Self {
        [.meta(.outputName, into: .one), .compare(.one, .equal, paddedName(interface))]
    }

    /// `meta mark & 0xfff == VALUE`
    static func packetMark(is value: UInt32) -> Self {
        [.meta(.mark, into: .one)] + ourBits(are: value)
    }

    /// `ct mark & 0xfff == VALUE`
    static func connectionMark(is value: UInt32) -> Self {
        [.connection(.mark, into: .one)] + ourBits(are: value)
    }

    /// `meta mark set meta mark & 0xfffff000 | VALUE`
    static func markPacket(_ value: UInt32) -> Self {
        [.meta(.mark, into: .one), replaceOurBits(by: value), .setMeta(.mark, from: .one)]
    }

    /// `ct mark set ct mark & 0xfffff000 | VALUE`
    static func markConnection(_ value: UInt32) -> Self {
        [.connection(.mark, into: .one), replaceOurBits(by: value), .setConnection(.mark, from: .one)]
    }

    /// `ct direction reply`: IP_CT_DIR_REPLY
    static let isReply: Self = [.connection(.direction, into: .one), .compare(.one, .equal, [1])]

    /// `meta l4proto NUMBER`
    static func isProtocol(_ number: UInt8) -> Self {
        [.meta(.protocolNumber, into: .one), .compare(.one, .equal, [number])]
    }

    /// `meta nfproto ipv4|ipv6`: NFPROTO_IPV4, NFPROTO_IPV6
    static func isFamily(_ family: IPAddress.Family) -> Self {
        [.meta(.family, into: .one), .compare(.one, .equal, [family == .v4 ? 2 : 10])]
    }

    /// `ip saddr ADDRESS` or `ip6 saddr ADDRESS`
    static func source(is address: IPAddress) -> Self {
        let offset: UInt32 = address.family == .v4 ? 12 : 8
        let length = UInt32(address.bitWidth / 8)
        return isFamily(address.family) + [
            .payload(.network, offset: offset, length: length, into: .one),
            .compare(.one, .equal, address.networkBytes),
        ]
    }

    /// `ip daddr 127.0.0.0/8` or `ip6 daddr ::1`
    static func destinationIsLoopback(_ family: IPAddress.Family) -> Self {
        isFamily(family)
            + (family == .v4
                ? [.payload(.network, offset: 16, length: 1, into: .one), .compare(.one, .equal, [127])]
                : [
                    .payload(.network, offset: 24, length: 16, into: .one),
                    .compare(.one, .equal, IPAddress.loopbackV6.networkBytes),
                ])
    }

    /// `PROTOCOL dport PORT`
    static func port(_ port: UInt16, of protocolNumber: UInt8) -> Self {
        isProtocol(protocolNumber) + [loadPort(into: .one), .compare(.one, .equal, bigEndian(port))]
    }

    /// `PROTOCOL dport @SET`
    static func port(in set: String, of protocolNumber: UInt8) -> Self {
        isProtocol(protocolNumber) + [loadPort(into: .one), .lookUp(.one, set: set)]
    }

    /// `ip daddr . PROTOCOL dport @SET` or the same with ip6
    static func destination(in set: String, _ family: IPAddress.Family, of protocolNumber: UInt8) -> Self {
        let address: RuleExpression =
            family == .v4
            ? .payload(.network, offset: 16, length: 4, into: .one)
            : .payload(.network, offset: 24, length: 16, into: .one)
        // The fields of a concatenated key lie one behind the other, each on a word of its own.
        return isFamily(family) + isProtocol(protocolNumber)
            + [address, loadPort(into: family == .v4 ? .secondWord : .two), .lookUp(.one, set: set)]
    }

    /// `fib daddr type != local`: RTN_LOCAL
    static let destinationIsElsewhere: Self = [
        .destinationType(into: .one), .compare(.one, .notEqual, hostOrder(UInt32(2))),
    ]

    /// `socket cgroupv2 level LEVEL @SET`
    static func socketCgroup(in set: String, level: UInt32) -> Self {
        [.socketCgroup(level: level, into: .one), .lookUp(.one, set: set)]
    }

    /// `return`
    static let leaveChain: Self = [.verdict(.leaveChain)]
    /// `counter`
    static let count: Self = [.counter]
    /// `drop`
    static let drop: Self = [.verdict(.drop)]

    /// `redirect to :PORT`
    static func redirect(to port: UInt16) -> Self {
        [.immediate(.one, bigEndian(port)), .redirect(port: .one)]
    }

    private static func ourBits(are value: UInt32) -> Self {
        [
            .bitwise(.one, mask: hostOrder(MeshMarks.mask), flip: hostOrder(UInt32(0))),
            .compare(.one, .equal, hostOrder(value)),
        ]
    }

    private static func replaceOurBits(by value: UInt32) -> RuleExpression {
        .bitwise(.one, mask: hostOrder(~MeshMarks.mask), flip: hostOrder(value))
    }

    /// The destination port stands at the same place in TCP, UDP and SCTP.
    private static func loadPort(into register: RuleExpression.Register) -> RuleExpression {
        .payload(.transport, offset: 2, length: 2, into: register)
    }

    /// Interface names are compared over all of IFNAMSIZ, 16 bytes.
    private static func paddedName(_ name: String) -> [UInt8] {
        let bytes = name.utf8.prefix(15)
        return [UInt8](bytes) + [UInt8](repeating: 0, count: 16 - bytes.count)
    }
}

/// The bytes of a number as this machine has them in memory.
func hostOrder(_ number: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
    stride(from: 0, to: number.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: number.littleEndian >> $0) }
}

/// The bytes of a port as packets have them.
func bigEndian(_ port: UInt16) -> [UInt8] {
    [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)]
}
