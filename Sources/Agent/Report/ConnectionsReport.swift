/// The connections of this node's pods (`meshnode connections`): the open ones, and those refused of late.
package struct ConnectionsReport: Report {
    package static let path = "/v1/connections"
    package static let kind = "ConnectionList"

    /// One side of a connection.
    package struct End: Codable, Sendable, Equatable {
        /// `ip:port`, as the application sees it.
        package var address: String
        /// Name of the workload; nil if unknown.
        package var workload: String?
        /// Its namespace; nil if unknown.
        package var namespace: String?
        /// Its SPIFFE ID, from its certificate only; nil if it showed none.
        package var identity: String?

        package init(address: String, workload: String? = nil, namespace: String? = nil, identity: String? = nil) {
            self.address = address
            self.workload = workload
            self.namespace = namespace
            self.identity = identity
        }
    }

    /// From or to a pod of this node.
    package enum Direction: String, Codable, Sendable, Equatable {
        case outbound
        case inbound
    }

    /// How the bytes travel between the nodes.
    package enum Security: String, Codable, Sendable, Equatable {
        /// In a tunnel under mutual TLS.
        case mutualTLS = "mTLS"
        /// Both ends on this node: same checks, no wire.
        case local
        /// As they are.
        case plaintext
        case unknown = "?"
    }

    /// A connection that is open.
    package struct Live: Codable, Sendable, Equatable {
        /// Names it in the access log and in later commands.
        package var id: String
        /// From or to a pod of this node.
        package var direction: Direction
        /// Who opened it.
        package var source: End
        /// Who accepted it.
        package var destination: End
        /// The service that was addressed, as `namespace/name:port`; nil if a pod was.
        package var service: String?
        /// How the bytes travel.
        package var security: Security
        /// When it was opened.
        package var opened: Timestamp
        /// Bytes from the client to the server.
        package var sentBytes: UInt64
        /// Bytes from the server to the client.
        package var receivedBytes: UInt64
        /// The policy that allowed it, as `namespace/name`; nil if no policy applies.
        package var policy: String?

        package init(
            id: String, direction: Direction, source: End, destination: End, service: String? = nil,
            security: Security, opened: Timestamp, sentBytes: UInt64, receivedBytes: UInt64, policy: String? = nil
        ) {
            self.id = id
            self.direction = direction
            self.source = source
            self.destination = destination
            self.service = service
            self.security = security
            self.opened = opened
            self.sentBytes = sentBytes
            self.receivedBytes = receivedBytes
            self.policy = policy
        }
    }

    /// A connection that was refused, or closed because it is now denied.
    package struct Refused: Codable, Sendable, Equatable {
        /// Names it in the access log and in later commands.
        package var id: String
        /// When it was refused.
        package var time: Timestamp
        /// From or to a pod of this node.
        package var direction: Direction
        /// Who wanted it.
        package var source: End
        /// Whom it was for.
        package var destination: End
        /// The service that was addressed, as `namespace/name:port`; nil if a pod was.
        package var service: String?
        /// One of the closed list of reasons, such as `NO_ALLOW_MATCH`.
        package var reason: String
        /// The policies that decided, as `namespace/name`; empty if none did.
        package var policies: [String]
        /// The rule or the field that decided, in words; empty if there is no more to say.
        package var detail: String
        /// What the policies were asked about; nil where none was asked.
        package var facts: Facts?
        /// Number of the node's state that decided, which grows with each change; nil if not known.
        package var stateVersion: UInt64?
        /// AUDIT policies that recorded it; nil if none did.
        package var audited: [String]?
        /// What policies in dry run would have done, such as `pay/next would-deny`; nil if there were none.
        package var dryRun: [String]?

        package init(
            id: String, time: Timestamp, direction: Direction, source: End, destination: End, service: String? = nil,
            reason: String, policies: [String] = [], detail: String = "", facts: Facts? = nil,
            stateVersion: UInt64? = nil, audited: [String]? = nil, dryRun: [String]? = nil
        ) {
            self.id = id
            self.time = time
            self.direction = direction
            self.source = source
            self.destination = destination
            self.service = service
            self.reason = reason
            self.policies = policies
            self.detail = detail
            self.facts = facts
            self.stateVersion = stateVersion
            self.audited = audited
            self.dryRun = dryRun
        }
    }

    /// What the policies were asked about.
    package struct Facts: Codable, Sendable, Equatable {
        /// The client's SPIFFE ID; nil if it showed none.
        package var source: String?
        /// The client's address.
        package var sourceAddress: String
        /// The server's address.
        package var destinationAddress: String
        /// The application's port.
        package var destinationPort: UInt16

        package init(
            source: String?, sourceAddress: String, destinationAddress: String, destinationPort: UInt16
        ) {
            self.source = source
            self.sourceAddress = sourceAddress
            self.destinationAddress = destinationAddress
            self.destinationPort = destinationPort
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `ConnectionList`.
    package var kind: String
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The open connections, the youngest last.
    package var live: [Live]
    /// The refused ones that are still remembered, the latest last.
    package var refused: [Refused]

    package init(time: Timestamp, node: String, live: [Live], refused: [Refused]) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.time = time
        self.node = node
        self.live = live
        self.refused = refused
    }
}
