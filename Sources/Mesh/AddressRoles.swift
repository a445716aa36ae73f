package import Addressing

/// The address that the client of a connection has, as the accepting side saw it.
package struct ClientAddress: Hashable, Sendable, CustomStringConvertible {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
    package var description: String { address.description }
}

/// Where the application meant to connect to, before capture redirected it (SO_ORIGINAL_DST).
package struct OriginalDestination: Hashable, Sendable, CustomStringConvertible {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
    package var description: String { address.description }
}

/// Where a peer's HBONE listener is: the pod's address and the HBONE port.
package struct TunnelAddress: Hashable, Sendable, CustomStringConvertible {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
    package var description: String { address.description }
}

/// Where the application itself listens: the pod's address and the application's port.
package struct ApplicationAddress: Hashable, Sendable, CustomStringConvertible {
    package let address: SocketAddress
    package init(_ address: SocketAddress) { self.address = address }
    package var description: String { address.description }
}

/// What a CONNECT asks for: `ip:port`, `[v6]:port`, or `hostname:port` towards a waypoint.
package enum Authority: Hashable, Sendable, CustomStringConvertible {
    case address(SocketAddress)
    case hostname(String, port: UInt16)

    /// The port that the client asked for, whichever way the host is named.
    package var port: UInt16 {
        switch self {
        case .address(let address): address.port
        case .hostname(_, let port): port
        }
    }

    package var description: String {
        switch self {
        case .address(let address): address.description
        case .hostname(let name, let port): "\(name):\(port)"
        }
    }
}
