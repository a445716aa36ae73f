/// A whole HTTP/1.1 answer, as it came until the agent closed the connection (RFC 9112). The agent is asked to close,
/// so this needs no more than the status, the headers that frame the body, and the body.
struct HTTPAnswer: Equatable {
    /// Three digits.
    let status: Int
    /// The body, out of its framing.
    let body: [UInt8]

    /// Nil if it is not HTTP/1.x, or if the body was cut short.
    init?(_ bytes: [UInt8]) {
        guard let end = Self.endOfHead(in: bytes) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let status = Self.status(in: first) else { return nil }
        let headers = Self.headers(in: lines.dropFirst())
        let rest = bytes[(end + 4)...]
        guard let body = Self.body(in: rest, headers: headers) else { return nil }
        self.status = status
        self.body = body
    }

    private static func endOfHead(in bytes: [UInt8]) -> Int? {
        let mark: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= mark.count else { return nil }
        return (0...(bytes.count - mark.count)).first { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }
    }

    private static func status(in line: Substring) -> Int? {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1].utf8.count == 3, let status = Int(parts[1])
        else { return nil }
        return status
    }

    private static func headers(in lines: ArraySlice<Substring>) -> [String: String] {
        var headers: [String: String] = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        return headers
    }

    private static func body(in rest: ArraySlice<UInt8>, headers: [String: String]) -> [UInt8]? {
        if headers["transfer-encoding"]?.lowercased() == "chunked" { return unchunked(rest) }
        guard let text = headers["content-length"] else { return Array(rest) }
        guard let length = Int(text), length >= 0, length <= rest.count else { return nil }
        return Array(rest.prefix(length))
    }

    private static func unchunked(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = bytes
        var body: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: 13) {
            let size = String(
                decoding: rest[rest.startIndex..<lineEnd].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
            guard let count = Int(size, radix: 16), count >= 0 else { return nil }
            if count == 0 { return body }
            rest = rest[lineEnd...].dropFirst(2)
            guard rest.count > 2, count <= rest.count - 2 else { return nil }
            body += rest.prefix(count)
            rest = rest.dropFirst(count + 2)
        }
        return nil
    }
}
