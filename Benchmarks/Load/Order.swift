/// What a client asks of the server: the first message of each connection.
///
///     0      1             8                16                  200
///     | kind | zero        | count, big end | zero               |
struct Order: Hashable {
    enum Kind: UInt8 {
        /// The server answers each message with one of the same length.
        case echo = 1
        /// The server sends `count` bytes.
        case download = 2
        /// The server takes `count` bytes and then answers with one.
        case upload = 3
    }

    /// Bytes of a message, as performance.md has it.
    static let messageSize = 200

    let kind: Kind
    /// Bytes to be sent after the order; 0 for `echo`.
    let count: Int

    init(_ kind: Kind, count: Int = 0) {
        self.kind = kind
        self.count = count
    }

    /// Reads a message of `messageSize` bytes; nil if it is none.
    init?(_ message: [UInt8]) {
        guard message.count == Self.messageSize, let kind = Kind(rawValue: message[0]) else { return nil }
        let count = message[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let count = Int(exactly: count) else { return nil }
        self.init(kind, count: count)
    }

    var message: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.messageSize)
        bytes[0] = kind.rawValue
        for index in 0..<8 { bytes[8 + index] = UInt8(truncatingIfNeeded: UInt64(count) >> UInt64(56 - 8 * index)) }
        return bytes
    }
}
