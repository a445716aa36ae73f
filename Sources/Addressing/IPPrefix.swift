/// A CIDR block: an address and how many of its leading bits count.
package struct IPPrefix: Hashable, Sendable {
    /// The block's first address; the bits behind the prefix are zero.
    package let address: IPAddress
    /// How many leading bits count: 0 through 32 or 128.
    package let length: Int

    /// Host bits in `address` are cleared. Nil if `length` does not fit the family.
    package init?(_ address: IPAddress, length: Int) {
        guard (0...address.bitWidth).contains(length) else { return nil }
        let masked = address.number & Self.mask(length: length, width: address.bitWidth)
        self.address =
            address.family == .v4
            ? IPAddress(v4: UInt32(truncatingIfNeeded: masked)) : IPAddress(v6: masked)
        self.length = length
    }

    /// The block that holds only `address`.
    package init(_ address: IPAddress) {
        self.address = address
        length = address.bitWidth
    }

    /// Reads `a.b.c.d/n`, `v6/n`, or a bare address (a block of one). A block of IPv4-mapped addresses, whose length is
    /// 96 or more, is the IPv4 block; nil for a wider one, which would be half of each family.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(parts[1])
        else { return nil }
        let isMapped = address.family == .v4 && first.utf8.contains(UInt8(ascii: ":"))
        self.init(address, length: isMapped ? length - 96 : length)
    }

    /// Whether the leading `length` bits agree; an address of the other family is never inside.
    package func contains(_ candidate: IPAddress) -> Bool {
        candidate.family == address.family
            && candidate.number & Self.mask(length: length, width: address.bitWidth) == address.number
    }

    /// Whether the block holds exactly one address.
    package var isSingleAddress: Bool { length == address.bitWidth }

    private static func mask(length: Int, width: Int) -> UInt128 {
        let all: UInt128 = width == 32 ? 0xffff_ffff : .max
        return length == 0 ? 0 : all & ~(all >> UInt128(length))
    }
}

extension IPPrefix: CustomStringConvertible {
    package var description: String { "\(address)/\(length)" }
}
