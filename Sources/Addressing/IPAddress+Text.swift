extension IPAddress: CustomStringConvertible {
    /// RFC 5952 for IPv6, dotted decimal for IPv4.
    package var description: String {
        switch family {
        case .v4: Self.dotted(UInt32(truncatingIfNeeded: number))
        case .v6: Self.text(of: groups)
        }
    }

    /// In place, as it is done several times for every line of the access log.
    private static func dotted(_ number: UInt32) -> String {
        unsafe String(unsafeUninitializedCapacity: 15) { text in
            var end = 0
            func add(_ character: UInt8) {
                unsafe text[end] = character
                end += 1
            }
            for shift in stride(from: 24, through: 0, by: -8) {
                let octet = UInt8(truncatingIfNeeded: number >> UInt32(shift))
                if end > 0 { add(UInt8(ascii: ".")) }
                if octet >= 100 { add(UInt8(ascii: "0") + octet / 100) }
                if octet >= 10 { add(UInt8(ascii: "0") + octet / 10 % 10) }
                add(UInt8(ascii: "0") + octet % 10)
            }
            return end
        }
    }

    private var groups: [UInt16] {
        stride(from: 112, through: 0, by: -16).map { UInt16(truncatingIfNeeded: number >> UInt128($0)) }
    }

    private static func text(of groups: [UInt16]) -> String {
        let gap = longestZeroRun(in: groups)
        func joined(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard let gap else { return joined(groups[...]) }
        return joined(groups[..<gap.lowerBound]) + "::" + joined(groups[gap.upperBound...])
    }

    /// The first longest run of two or more zero groups (RFC 5952 section 4.2).
    private static func longestZeroRun(in groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        while start < groups.count {
            guard groups[start] == 0 else { start += 1; continue }
            let end = groups[start...].firstIndex { $0 != 0 } ?? groups.count
            if end - start >= 2, end - start > (best?.count ?? 0) { best = start..<end }
            start = end
        }
        return best
    }
}

extension IPAddress {
    /// Reads dotted decimal or RFC 4291 text. Scopes (`%eth0`), leading zeros in IPv4, brackets, ports and
    /// blanks are refused: nil.
    package init?(_ text: some StringProtocol) {
        let utf8 = Array(text.utf8)
        guard !utf8.isEmpty, utf8.count <= 45 else { return nil }
        if utf8.contains(UInt8(ascii: ":")) {
            guard let value = Self.parseV6(utf8) else { return nil }
            self.init(v6: value)
        } else {
            guard let value = Self.parseV4(utf8[...]) else { return nil }
            self.init(v4: value)
        }
    }

    private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for character in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
                octet = octet * 10 + UInt32(character - UInt8(ascii: "0"))
            }
            guard octet <= 255 else { return nil }
            result = result << 8 | octet
        }
        return result
    }

    private static func parseV6(_ text: [UInt8]) -> UInt128? {
        let colon = UInt8(ascii: ":")
        var gapStart: Int?
        for index in text.indices.dropLast() where text[index] == colon && text[index + 1] == colon {
            guard gapStart == nil else { return nil }
            gapStart = index
        }
        guard let gapStart else {
            guard let groups = parseGroups(text[...]), groups.count == 8 else { return nil }
            return number(groups)
        }
        guard let head = parseGroups(text[..<gapStart], mayEndInV4: false),
            let tail = parseGroups(text[(gapStart + 2)...]),
            head.count + tail.count <= 7
        else { return nil }
        return number(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    /// Groups between single colons; the last may be dotted IPv4. Empty text is no groups.
    private static func parseGroups(_ text: ArraySlice<UInt8>, mayEndInV4: Bool = true) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayEndInV4, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let v4 = parseV4(part) else { return nil }
                groups += [UInt16(v4 >> 16), UInt16(truncatingIfNeeded: v4)]
            } else {
                guard let group = parseGroup(part) else { return nil }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }

    private static func parseGroup(_ text: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(text.count) else { return nil }
        var group: UInt16 = 0
        for character in text {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
            default: return nil
            }
            group = group << 4 | UInt16(digit)
        }
        return group
    }

    private static func number(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }
}
