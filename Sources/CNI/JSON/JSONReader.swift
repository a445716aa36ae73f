/// Reads JSON texts (RFC 8259), strictly: valid UTF-8, no name twice in an object, nothing behind the value, a bounded
/// depth and length. Whatever the bytes are, it throws rather than traps.
package struct JSONReader {
    /// Objects and arrays inside one another; a network configuration has about six.
    package static let deepest = 64
    /// Bytes of a text.
    package static let longest = 1 << 20

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The value that `bytes` spell.
    package static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        guard bytes.count <= longest else {
            throw JSONError(message: "a text of more than \(longest) bytes", offset: longest)
        }
        var reader = JSONReader(bytes)
        reader.skipBlanks()
        let value = try reader.value()
        reader.skipBlanks()
        guard reader.position == bytes.count else { throw reader.error("something follows the value") }
        return value
    }

    private func error(_ message: String) -> JSONError { JSONError(message: message, offset: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        switch next {
        case UInt8(ascii: "{"): return .object(try nested { reader throws(JSONError) in try reader.members() })
        case UInt8(ascii: "["): return .array(try nested { reader throws(JSONError) in try reader.elements() })
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try number())
        case .none: throw error("the text ends early")
        default: throw error("no value")
        }
    }

    private mutating func nested<Result>(
        _ read: (inout JSONReader) throws(JSONError) -> Result
    ) throws(JSONError) -> Result {
        guard depth < Self.deepest else { throw error("more than \(Self.deepest) values inside one another") }
        depth += 1
        position += 1
        let result = try read(&self)
        depth -= 1
        return result
    }

    private mutating func members() throws(JSONError) -> [JSONMember] {
        var members: [JSONMember] = []
        var names: Set<String> = []
        try list(until: UInt8(ascii: "}")) { reader throws(JSONError) in
            guard reader.next == UInt8(ascii: "\"") else { throw reader.error("no name") }
            let start = reader.position
            let name = try reader.string()
            guard names.insert(name).inserted else {
                throw JSONError(message: "a name for the second time", offset: start)
            }
            reader.skipBlanks()
            try reader.expect(UInt8(ascii: ":"))
            reader.skipBlanks()
            let first = reader.position
            let value = try reader.value()
            members.append(JSONMember(name, value, range: first..<reader.position))
        }
        return members
    }

    private mutating func elements() throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        try list(until: UInt8(ascii: "]")) { reader throws(JSONError) in elements.append(try reader.value()) }
        return elements
    }

    /// Items with commas between them, to the closing bracket.
    private mutating func list(
        until end: UInt8, _ item: (inout JSONReader) throws(JSONError) -> Void
    ) throws(JSONError) {
        skipBlanks()
        if next == end {
            position += 1
            return
        }
        while true {
            skipBlanks()
            try item(&self)
            skipBlanks()
            if next == end {
                position += 1
                return
            }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard let next else { throw error("the text ends early") }
        guard next == byte else { throw error("no '\(Character(UnicodeScalar(byte)))'") }
        position += 1
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let expected = Array("\(word)".utf8)
        guard bytes[position...].starts(with: expected) else { throw error("no value") }
        position += expected.count
        return value
    }
}

// MARK: Numbers and strings

extension JSONReader {
    private mutating func number() throws(JSONError) -> String {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw error("no digit") }
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var utf8: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: utf8, as: UTF8.self) else {
                    throw error("a string that is not UTF-8")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                utf8 += Array(String(try escaped()).utf8)
            case 0..<0x20: throw error("a control character in a string")
            default:
                utf8.append(byte)
                position += 1
            }
        }
        throw error("the text ends early")
    }

    private mutating func escaped() throws(JSONError) -> UnicodeScalar {
        guard let byte = next else { throw error("the text ends early") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UnicodeScalar(byte)
        case UInt8(ascii: "b"): return UnicodeScalar(0x08)
        case UInt8(ascii: "f"): return UnicodeScalar(0x0c)
        case UInt8(ascii: "n"): return UnicodeScalar(0x0a)
        case UInt8(ascii: "r"): return UnicodeScalar(0x0d)
        case UInt8(ascii: "t"): return UnicodeScalar(0x09)
        case UInt8(ascii: "u"): return try unicode()
        default: throw error("an unknown escape")
        }
    }

    /// Behind `\u`: a scalar of the basic plane, or the two halves of another.
    private mutating func unicode() throws(JSONError) -> UnicodeScalar {
        let first = try hexadecimal()
        if let scalar = UnicodeScalar(first) { return scalar }
        try expect(UInt8(ascii: "\\"))
        try expect(UInt8(ascii: "u"))
        let second = try hexadecimal()
        // RFC 8259, section 7: UTF-16 in two escapes. A half that stands alone names no character.
        guard (0xd800...0xdbff).contains(first), (0xdc00...0xdfff).contains(second),
            let scalar = UnicodeScalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw error("half a character") }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        var result: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw error("no hexadecimal digit")
            }
            result = result << 4 | UInt32(digit)
            position += 1
        }
        return result
    }
}
