import Addressing

extension Field {
    /// Text; numbers and truth values are taken as they are spelled.
    func string() -> String? {
        guard case .scalar(let text, _) = node.value else {
            error("must be text")
            return nil
        }
        return text
    }

    /// `true` or `false` without quotes, or one of YAML 1.1's other spellings.
    func bool() -> Bool? {
        if case .scalar(let text, isPlain: true) = node.value {
            switch text {
            case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return true
            case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return false
            default: break
            }
        }
        error("must be true or false, without quotes")
        return nil
    }

    /// A TCP or UDP port: 1 through 65535, quoted or not.
    func port() -> UInt16? {
        guard let text = string() else { return nil }
        guard let port = parsePort(text) else {
            error("must be a port from 1 through 65535, not \(quoted(text))")
            return nil
        }
        return port
    }

    func address() -> IPAddress? {
        guard let text = string() else { return nil }
        guard let address = IPAddress(text) else {
            error("must be an IP address, not \(quoted(text))")
            return nil
        }
        return address
    }

    /// An address or a CIDR block.
    func prefix() -> IPPrefix? {
        guard let text = string() else { return nil }
        guard let prefix = IPPrefix(text) else {
            error("must be an IP address or a block such as 10.0.0.0/8, not \(quoted(text))")
            return nil
        }
        return prefix
    }

    /// Seconds since 1970 of an RFC 3339 time.
    func timestamp() -> Int64? {
        guard let text = string() else { return nil }
        guard let time = parseTimestamp(text) else {
            error("must be a time such as 2026-01-31T12:00:00Z, not \(quoted(text))")
            return nil
        }
        return time
    }

    /// The name of an object (RFC 1123 subdomain): lower-case letters, digits, `-`, `.`; at most 253 bytes.
    func objectName() -> String? {
        guard let text = string() else { return nil }
        guard isObjectName(text) else {
            error("must be lower-case letters, digits, \"-\" and \".\", at most 253, not \(quoted(text))")
            return nil
        }
        return text
    }

    /// The name of a namespace (RFC 1123 label): as `objectName` without `.`, at most 63 bytes.
    func namespaceName() -> String? {
        guard let text = string() else { return nil }
        guard isObjectName(text), text.utf8.count <= 63, !text.utf8.contains(UInt8(ascii: ".")) else {
            error("must be lower-case letters, digits and \"-\", at most 63, not \(quoted(text))")
            return nil
        }
        return text
    }

    /// Labels, annotations, selectors: text by text. A missing value is empty text, as in Kubernetes.
    func stringMap() -> [String: String]? {
        guard let fields = mapping() else { return nil }
        var result: [String: String] = [:]
        for name in fields.order { result[name] = fields[name]?.string() ?? "" }
        for name in fields.nulls.keys { result[name] = "" }
        return result
    }
}

extension Field {
    /// Whether `text` is an RFC 1123 subdomain.
    private func isObjectName(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            isAlphanumeric(label.first) && isAlphanumeric(label.last)
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }
}

/// Reads 1 through 65535 in plain decimal.
func parsePort(_ text: some StringProtocol) -> UInt16? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
        let port = UInt16(text), port > 0
    else { return nil }
    return port
}

/// Reads an RFC 3339 time with `Z` or an offset, fraction ignored, years 1 through 9999; seconds since 1970.
func parseTimestamp(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
        guard range.upperBound <= bytes.count else { return nil }
        return bytes[range].reduce(Int64?(0)) { sum, byte in
            guard let sum, (48...57).contains(byte) else { return nil }
            return sum * 10 + Int64(byte - 48)
        }
    }
    func isAt(_ index: Int, _ characters: String) -> Bool {
        index < bytes.count && characters.utf8.contains(bytes[index])
    }
    guard isAt(4, "-"), isAt(7, "-"), isAt(10, "Tt "), isAt(13, ":"), isAt(16, ":"),
        let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
        let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
        (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
    else { return nil }
    var index = 19
    if isAt(index, ".") {
        index += 1
        while isAt(index, "0123456789") { index += 1 }
    }
    var offset: Int64 = 0
    if isAt(index, "Zz") {
        index += 1
    } else {
        guard isAt(index, "+-"), isAt(index + 3, ":"), let hours = number(index + 1..<index + 3),
            let minutes = number(index + 4..<index + 6)
        else { return nil }
        offset = (hours * 3600 + minutes * 60) * (bytes[index] == UInt8(ascii: "-") ? -1 : 1)
        index += 6
    }
    guard index == bytes.count else { return nil }
    return days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offset
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; the year begins in March, so that leap days are last.
private func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}
