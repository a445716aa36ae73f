package import Addressing
package import Mesh

/// Why a CONNECT is refused before policy is asked, with the status that says so.
package struct RequestRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package let reason: Reason

    package init(_ reason: Reason) { self.reason = reason }

    /// The status for the peer: 400 for a bad request or authority, 401 for policy, 503 for all else.
    package var status: Int { Self.status(for: reason) }

    package var description: String { reason.rawValue }

    /// The status with which a stream is refused for `reason` (tunnel design, "CONNECT").
    package static func status(for reason: Reason) -> Int {
        switch reason {
        case .notConnect, .badAuthority, .destinationMismatch, .selfCall: 400
        case .policyDeny, .noAllowMatch, .policyChanged, .plaintextRefused, .peerNotMTLS, .trustDomainMismatch,
            .sanMismatch, .certificateExpired, .certificateNotYetValid, .certificateRevoked, .notFromWaypoint,
            .unknownSource, .egressDenied:
            401
        default: 503
        }
    }
}

extension ConnectRequest {
    /// Where the accepting side of a workload connects to: the authority's port at the address that the tunnel
    /// itself came in on.
    ///
    /// - Parameter local: the address of the accepted TLS connection at our end.
    /// - Throws: `BAD_AUTHORITY` for a hostname, which only a waypoint serves; `DST_MISMATCH` for any address but
    ///   `local`; `SELF_CALL` for one of the mesh's own ports.
    package func destination(local: IPAddress) throws(RequestRefusal) -> ApplicationAddress {
        guard case .address(let address) = authority else { throw RequestRefusal(.badAuthority) }
        guard address.ip == local else { throw RequestRefusal(.destinationMismatch) }
        guard !MeshPorts.isOwn(address.port) else { throw RequestRefusal(.selfCall) }
        return ApplicationAddress(address)
    }
}
