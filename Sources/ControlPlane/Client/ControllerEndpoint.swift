internal import Addressing
internal import GRPCNIOTransportHTTP2Posix

/// Where the mesh's controller is: `host:port`, `a.b.c.d:port` or `[v6]:port`.
package struct ControllerEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address, without brackets.
    package let host: String
    package let port: UInt16

    /// Reads the text form.
    /// - Throws: `invalidConfiguration`.
    package init(_ text: String) throws(ControlPlaneError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw ControlPlaneError(
                .invalidConfiguration,
                "'\(text)' is no endpoint of a controller: write HOST:PORT, such as 10.0.0.1:15012")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains(where: { "[]/ ".contains($0) }),
            !host.contains(":") || IPAddress(host) != nil
        else {
            throw ControlPlaneError(.invalidConfiguration, "'\(text)' has no host: write HOST:PORT or [ADDRESS]:PORT")
        }
        self.host = String(host)
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    var target: any ResolvableTarget {
        switch IPAddress(host)?.family {
        case .v4: .ipv4(address: host, port: Int(port))
        case .v6: .ipv6(address: host, port: Int(port))
        case nil: .dns(host: host, port: Int(port))
        }
    }
}
