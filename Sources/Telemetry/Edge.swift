package import Addressing
package import Mesh

/// Who talks to whom, over all connections between the two so far, as one side's agent saw them.
package struct Edge: Hashable, Sendable {
    /// One end of an edge: a workload, meaning what made its pods, or where that is unknown an address.
    package struct End: Hashable, Sendable {
        /// Of what made the pods, such as a Deployment; empty if the workload is unknown.
        package var workload: String
        package var namespace: String
        /// From a verified certificate; nil in plaintext and where the connection came to nothing before it was shown.
        package var identity: SPIFFEID?
        /// Only if the workload is unknown.
        package var address: IPAddress?

        package init(
            workload: String = "", namespace: String = "", identity: SPIFFEID? = nil, address: IPAddress? = nil
        ) {
            self.workload = workload
            self.namespace = namespace
            self.identity = identity
            self.address = address
        }
    }

    /// What makes two connections part of one edge.
    package struct Key: Hashable, Sendable {
        /// Outbound: told by the source's agent; inbound: by the destination's. A node with both ends has both edges.
        package var direction: ConnectionRecord.Direction
        /// The client, without identity: a refused connection may have shown none.
        package var source: End
        package var destination: End
        /// The service that the client addressed, if it was one.
        package var service: NamespacedName?
    }

    /// How the connections were carried.
    package enum Security: String, Hashable, Sendable, CaseIterable {
        case mutualTLS = "mutual_tls"
        case plaintext
        /// Some this way and some the other.
        case mixed
        /// None was opened.
        case unknown
    }

    package var key: Key
    /// As the last connection proved it.
    package var sourceIdentity: SPIFFEID?
    /// As the last connection proved it.
    package var destinationIdentity: SPIFFEID?
    /// Opened in tunnels.
    package var openedWithMutualTLS: UInt64 = 0
    /// Opened outside tunnels.
    package var openedInPlaintext: UInt64 = 0
    /// Why the last one that left in plaintext did so; nil if none did, and for clients that came without a tunnel.
    package var plaintextCause: PlaintextRoute.Cause?
    /// Open now.
    package var openCount: Int = 0
    /// From the client to the server, in bytes of the application.
    package var bytesFromClient: UInt64 = 0
    /// From the server to the client.
    package var bytesFromServer: UInt64 = 0
    /// Connections that were refused or cut, by why.
    package var refusals: [Reason: UInt64] = [:]
    /// The policy of the last refusal, if one decided it.
    package var lastRefusalPolicy: NamespacedName?
    /// When its first connection began: seconds since 1970.
    package var firstSeen: Int64
    /// When one of its connections began, ended or carried something last: seconds since 1970.
    package var lastSeen: Int64

    /// How its connections were carried, all of them so far.
    package var security: Security {
        switch (openedWithMutualTLS > 0, openedInPlaintext > 0) {
        case (true, false): .mutualTLS
        case (false, true): .plaintext
        case (true, true): .mixed
        case (false, false): .unknown
        }
    }

    /// Connections that were opened.
    package var openedCount: UInt64 { openedWithMutualTLS &+ openedInPlaintext }

    /// Connections that were refused or cut.
    package var refusedCount: UInt64 { refusals.values.reduce(0, &+) }
}

extension Edge.Key {
    /// The edge that `record` belongs to.
    init(_ record: ConnectionRecord) {
        direction = record.direction
        source = Edge.End(record.source)
        destination = Edge.End(record.destination)
        service = record.service
    }
}

extension Edge.End {
    /// Without identity, which a connection shows late or never.
    init(_ peer: PeerFacts) {
        let isKnown = peer.workload != nil || !peer.ownerName.isEmpty
        self.init(
            workload: isKnown ? (peer.ownerName.isEmpty ? peer.name : peer.ownerName) : "", namespace: peer.namespace,
            address: isKnown ? nil : peer.address?.ip)
    }
}
