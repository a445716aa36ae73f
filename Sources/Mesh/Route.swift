package import Addressing

/// Where a connection goes.
package enum Route: Hashable, Sendable {
    /// Inside a tunnel, to a workload that takes part in the mesh or to a waypoint.
    case tunnel(TunnelRoute)
    /// As it is: the destination does not take part.
    case plaintext(PlaintextRoute)
    /// Nowhere; the detail is a sentence for the log.
    case refused(Reason, detail: String)
}

/// A way through a tunnel.
package struct TunnelRoute: Hashable, Sendable {
    /// The workload that accepts the tunnel: the endpoint, or an endpoint of the waypoint.
    package let endpoint: Workload
    /// Where its HBONE listener is.
    package let address: TunnelAddress
    /// What the CONNECT asks for.
    package let authority: Authority
    /// The peer's certificate must name one of these.
    package let acceptedIdentities: Set<SPIFFEID>
    /// Where the application listens; towards a waypoint, what the client asked for.
    package let application: ApplicationAddress
    /// The service that the client addressed, if it was one.
    package let service: NamespacedName?
    /// The tunnel ends at the destination's waypoint, which decides what follows.
    package let isToWaypoint: Bool
    /// Source and endpoint run on one node, so the same agent is at both ends.
    package let isSameNode: Bool

    /// Where the application is, if the agent may join both ends itself: they share its node, and nobody else, such as
    /// a waypoint, has to see the connection. That both are captured there is for the agent to know.
    package var joinableApplication: SocketAddress? {
        guard isSameNode, !isToWaypoint, case .address(let asked) = authority, asked == application.address,
            endpoint.addresses.contains(asked.ip)
        else { return nil }
        return asked
    }

    /// For people: that both ends are on this node, and what follows from it; empty if they are not.
    package var nodeNote: String {
        guard isSameNode else { return "" }
        let way = joinableApplication == nil ? "" : ", whose agent joins both without a tunnel if it can"
        return ", on this node\(way)"
    }
}

/// A way around the mesh.
package struct PlaintextRoute: Hashable, Sendable {
    /// Why the destination is not reached through a tunnel.
    package enum Cause: String, Hashable, Sendable, CaseIterable {
        /// The workload is known and does not take part in the mesh.
        case notEnrolled = "NOT_ENROLLED"
        /// Nobody in the mesh has this address.
        case unknownDestination = "UNKNOWN_DESTINATION"
        /// The workload shares its node's address, which is never captured.
        case hostNetwork = "HOST_NETWORK"
    }

    /// Where to connect to.
    package let address: ApplicationAddress
    /// Who is there, if known.
    package let workload: Workload?
    /// The service that the client addressed, if it was one.
    package let service: NamespacedName?
    package let cause: Cause
}
