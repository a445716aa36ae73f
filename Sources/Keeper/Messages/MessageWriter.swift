internal import Addressing
internal import Kernel
internal import Mesh

/// Builds one message.
package struct MessageWriter {
    static let version: UInt8 = 1
    private var bytes: [UInt8] = []

    mutating func begin(_ kind: UInt8) {
        bytes = [Self.version, kind, 0, 0]
    }

    mutating func number(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func text(_ text: String, limit: Int) throws(KeeperError) {
        let utf8 = Array(text.utf8)
        guard utf8.count <= limit else { throw .malformed("a text of \(utf8.count) bytes where \(limit) are allowed") }
        guard !utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw .malformed("control characters in a text")
        }
        number(UInt16(utf8.count))
        bytes += utf8
    }

    /// A text for people: cut where it is too long, control characters made blanks.
    mutating func shortened(_ text: String, limit: Int) throws(KeeperError) {
        var kept = ""
        for character in text {
            let isControl = character.utf8.contains { $0 < 0x20 || $0 == 0x7f }
            let next = isControl ? " " : character
            if kept.utf8.count + next.utf8.count > limit { break }
            kept.append(next)
        }
        try self.text(kept, limit: limit)
    }

    mutating func uid(_ uid: WorkloadUID) throws(KeeperError) {
        guard !uid.text.isEmpty else { throw .malformed("an empty uid") }
        try text(uid.text, limit: MessageLimits.uid)
    }

    mutating func family(_ family: IPAddress.Family) {
        number(UInt8(family == .v4 ? 4 : 6))
    }

    mutating func address(_ address: IPAddress) {
        family(address.family)
        bytes += address.networkBytes
    }

    mutating func list<Element>(
        _ elements: [Element], limit: Int, _ write: (inout MessageWriter, Element) throws(KeeperError) -> Void
    ) throws(KeeperError) {
        guard elements.count <= limit else {
            throw .malformed("a list of \(elements.count) where \(limit) are allowed")
        }
        number(UInt8(elements.count))
        for element in elements { try write(&self, element) }
    }

    mutating func finish() throws(KeeperError) -> [UInt8] {
        guard bytes.count >= 4, bytes.count <= MessageSocket.maxLength else { throw .malformed("its length") }
        bytes[2] = UInt8(truncatingIfNeeded: bytes.count >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: bytes.count)
        return bytes
    }
}
