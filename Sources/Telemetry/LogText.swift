/// Makes text of strangers safe for a line of log: it stays one line, shows what it is, and cannot move a
/// terminal's cursor or turn its writing around.
package enum LogText {
    /// `text` in quotation marks, for `key="value"`. Backslash, quotation mark and everything unprintable escaped
    /// as in C and Unicode (`\n`, `\u{7f}`).
    package static func quoted(_ text: String) -> String {
        if isPlain(text) { return "\"\(text)\"" }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isUnprintable(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// `text` as it is, but for what is unprintable, so that it stays one line.
    package static func singleLine(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if isUnprintable(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `text` as a JSON string, quotation marks included (RFC 8259 section 7).
    package static func json(_ text: String) -> String {
        if isPlain(text) { return "\"\(text)\"" }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isUnprintable(scalar):
                for unit in scalar.utf16 { result += "\\u" + hexadecimal(UInt32(unit), digits: 4) }
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Bytes of a stranger as text: what is valid UTF-8 as it is, every other byte as `\xNN`.
    package static func text(of bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        if let valid = String(validating: bytes, as: UTF8.self) { return valid }
        var result = ""
        var index = 0
        while index < bytes.count {
            let piece = validScalar(at: index, in: bytes)
            if let piece {
                result += piece
                index += piece.utf8.count
            } else {
                result += "\\x" + hexadecimal(UInt32(bytes[index]), digits: 2)
                index += 1
            }
        }
        return result
    }

    private static func validScalar(at index: Int, in bytes: [UInt8]) -> String? {
        for length in 1...4 where index + length <= bytes.count {
            if let text = String(validating: bytes[index..<(index + length)], as: UTF8.self) { return text }
        }
        return nil
    }

    /// Printable ASCII that needs no escape; nearly all that is ever logged.
    static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }

    /// Control characters (C0, DEL, C1), line and paragraph separators, and what changes the writing direction or
    /// is not seen at all.
    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1f, 0x7f...0x9f: true
        case 0x061c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0xfeff, 0xfff9...0xfffb: true
        case 0xe0000...0xe007f: true
        default: false
        }
    }

    private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
