internal import Addressing
package import Mesh

extension Authority {
    /// Longest authority that is read: a DNS name of 253 bytes, a colon and five digits.
    static let maxLength = 259

    /// Reads the authority of a CONNECT: `a.b.c.d:port`, `[v6]:port` or `hostname:port`, port 1 through 65535 in
    /// plain decimal. Nil for everything else: user information, scopes, blanks, empty parts, a port with a leading
    /// zero, a host of digits and dots that is no address, names that DNS could not hold.
    package init?(parsing text: String) {
        guard (1...Self.maxLength).contains(text.utf8.count), let colon = text.utf8.lastIndex(of: UInt8(ascii: ":"))
        else { return nil }
        guard let port = Self.port(text[text.index(after: colon)...]) else { return nil }
        let host = text[..<colon]
        if host.utf8.first == UInt8(ascii: "[") {
            guard host.utf8.last == UInt8(ascii: "]"), host.utf8.count > 2 else { return nil }
            let inner = host.dropFirst().dropLast()
            guard inner.utf8.contains(UInt8(ascii: ":")), let ip = IPAddress(inner) else { return nil }
            self = .address(SocketAddress(ip, port))
        } else if let ip = IPAddress(host), ip.family == .v4 {
            self = .address(SocketAddress(ip, port))
        } else {
            guard Self.isHostname(host) else { return nil }
            self = .hostname(host.lowercased(), port: port)
        }
    }

    private static func port(_ text: Substring) -> UInt16? {
        guard (1...5).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "0"),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return UInt16(text)
    }

    /// RFC 1123 section 2.1, with underscores, which service names of some platforms have. The last label is not
    /// a number, or the name would be another spelling of an address (`127.1`, `0x7f000001`).
    private static func isHostname(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy(isLabel), let last = labels.last, let first = last.first else { return false }
        return !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    }

    private static func isLabel(_ label: Substring.UTF8View.SubSequence) -> Bool {
        guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else {
            return false
        }
        return label.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
