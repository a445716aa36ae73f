internal import Addressing

/// Lines of the access log in the making: bytes that are appended to, field by field.
struct LogLines {
    private(set) var bytes: [UInt8] = []
    private let format: AccessLog.Format
    private var isFirst = true
    /// The second that was written last; most records of a batch end in the same.
    private var second: (number: Int64, text: String)?

    /// A line is seldom longer, in bytes.
    private static let usualLength = 512

    init(_ format: AccessLog.Format) { self.format = format }

    mutating func reserve(_ lines: Int) { bytes.reserveCapacity(lines * Self.usualLength) }

    mutating func begin() {
        isFirst = true
        if format == .json { bytes.append(UInt8(ascii: "{")) }
    }

    mutating func end() {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A field of any text; left out if there is none.
    mutating func text(_ name: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        self.name(name)
        guard LogText.isPlain(value) else {
            return bytes.append(contentsOf: (format == .json ? LogText.json(value) : LogText.quoted(value)).utf8)
        }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: value.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// A field that needs no quotation marks or escapes in the text format: made here, of known characters.
    mutating func word(_ name: String, _ value: String?) {
        guard let value else { return }
        self.name(name)
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
        bytes.append(contentsOf: value.utf8)
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
    }

    /// As `word`, piece by piece.
    mutating func address(_ name: String, _ value: SocketAddress?) {
        guard let value else { return }
        guard value.ip.family == .v4 else { return word(name, value.description) }
        self.name(name)
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
        bytes.append(contentsOf: value.ip.description.utf8)
        bytes.append(UInt8(ascii: ":"))
        append(UInt64(value.port))
        if format == .json { bytes.append(UInt8(ascii: "\"")) }
    }

    private mutating func append(_ number: UInt64) {
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    mutating func number(_ name: String, _ value: UInt64) {
        self.name(name)
        append(value)
    }

    mutating func moment(_ name: String, _ secondsSince1970: Int64) {
        if second?.number != secondsSince1970 {
            second = (secondsSince1970, Timestamp.text(secondsSince1970: secondsSince1970))
        }
        word(name, second?.text)
    }

    private mutating func name(_ name: String) {
        switch format {
        case .text:
            if !isFirst { bytes.append(UInt8(ascii: " ")) }
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: "="))
        case .json:
            bytes.append(contentsOf: (isFirst ? "\"" : ",\"").utf8)
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: "\":".utf8)
        }
        isFirst = false
    }
}
