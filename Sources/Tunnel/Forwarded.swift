package import Addressing

/// The `forwarded` header (RFC 7239) as the mesh uses it: `for="ip:port"[;host=name]`. Only a waypoint's or gateway's
/// is honoured, and only for the address that the application sees and the logs.
package struct Forwarded: Hashable, Sendable, CustomStringConvertible {
    /// The client's address.
    package let client: SocketAddress
    /// What the client asked for.
    package let host: String?

    package init(client: SocketAddress, host: String? = nil) {
        self.client = client
        self.host = host
    }

    /// Reads the first element of the header; nil if it names no client address with a port.
    package init?(_ text: String) {
        guard text.utf8.count <= 1024 else { return nil }
        var client: SocketAddress?
        var host: String?
        for pair in text.prefix(while: { $0 != "," }).split(separator: ";").prefix(8) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            let value = Self.unquoted(parts[1])
            switch parts[0].drop(while: { $0 == " " }).lowercased() {
            case "for": client = SocketAddress(value)
            case "host": host = Self.isHost(value) ? String(value) : nil
            default: break
            }
        }
        guard let client else { return nil }
        self.init(client: client, host: host)
    }

    package var description: String {
        "for=\"\(client)\"" + (host.map { ";host=\"\($0)\"" } ?? "")
    }

    private static func unquoted(_ text: Substring) -> Substring {
        guard text.count >= 2, text.first == "\"", text.last == "\"" else { return text }
        return text.dropFirst().dropLast()
    }

    private static func isHost(_ text: Substring) -> Bool {
        (1...259).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
    }
}
