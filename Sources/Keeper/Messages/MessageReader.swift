internal import Addressing
internal import Kernel
internal import Mesh

/// Takes one message apart; whatever the bytes are, it throws rather than traps.
package struct MessageReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// The kind.
    mutating func header() throws(KeeperError) -> UInt8 {
        let total = rest.count
        guard total <= MessageSocket.maxLength else { throw .malformed("\(total) bytes long") }
        guard try number(UInt8.self) == MessageWriter.version else { throw .malformed("unknown version") }
        let kind = try number(UInt8.self)
        guard try Int(number(UInt16.self)) == total else { throw .malformed("its length is not what it says") }
        return kind
    }

    mutating func bytes(_ count: Int) throws(KeeperError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw .malformed("it ends early") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type
    ) throws(KeeperError) -> Number {
        try bytes(Number.bitWidth / 8).reduce(0) { ($0 &<< 8) | Number(truncatingIfNeeded: $1) }
    }

    mutating func text(limit: Int) throws(KeeperError) -> String {
        let count = Int(try number(UInt16.self))
        guard count <= limit else { throw .malformed("a text of \(count) bytes where \(limit) are allowed") }
        let utf8 = try bytes(count)
        guard !utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw .malformed("control characters in a text")
        }
        guard let text = String(validating: utf8, as: UTF8.self) else { throw .malformed("a text that is not UTF-8") }
        return text
    }

    mutating func uid() throws(KeeperError) -> WorkloadUID {
        let text = try text(limit: MessageLimits.uid)
        guard !text.isEmpty else { throw .malformed("an empty uid") }
        return WorkloadUID(text)
    }

    mutating func family() throws(KeeperError) -> IPAddress.Family {
        switch try number(UInt8.self) {
        case 4: .v4
        case 6: .v6
        case let other: throw .malformed("address family \(other)")
        }
    }

    mutating func address() throws(KeeperError) -> IPAddress {
        let family = try family()
        let raw = try bytes(family == .v4 ? 4 : 16)
        // A mapped address in the long form would have two spellings.
        guard let address = IPAddress(networkBytes: raw), address.family == family else {
            throw .malformed("an address")
        }
        return address
    }

    mutating func list<Element>(
        limit: Int, _ read: (inout MessageReader) throws(KeeperError) -> Element
    ) throws(KeeperError) -> [Element] {
        let count = Int(try number(UInt8.self))
        guard count <= limit else { throw .malformed("a list of \(count) where \(limit) are allowed") }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    func finish() throws(KeeperError) {
        guard rest.isEmpty else { throw .malformed("\(rest.count) bytes too many") }
    }
}
