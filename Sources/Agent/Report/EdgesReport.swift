/// Who talks to whom, secured or why not (`meshnode edges`). One edge is one client and one server; it begins to count
/// when the reporting worker starts.
package struct EdgesReport: Report {
    package static let path = "/v1/edges"
    package static let kind = "EdgeList"

    /// How the connections of an edge were carried.
    package enum Security: String, Codable, Sendable, Equatable {
        case mutualTLS = "mTLS"
        case plaintext
        /// Some this way and some the other.
        case mixed
        /// None was opened.
        case none = "-"
    }

    /// One client that talks to one server.
    package struct Edge: Codable, Sendable, Equatable {
        /// `namespace/name` of the client's Deployment or pod, or its address if nobody knows it.
        package var source: String
        /// `namespace/name` of the server's Deployment or pod, of the service if no pod was chosen, or the address if
        /// nobody knows it.
        package var destination: String
        /// The services that were addressed, as `namespace/name`, with commas between; nil if only the pod itself was.
        package var service: String?
        /// How the connections were carried.
        package var security: Security
        /// Why some travelled in plaintext, in words; empty if none did.
        package var plaintextCause: String
        /// Connections opened.
        package var opened: UInt64
        /// Connections open now.
        package var open: Int
        /// Connections refused or cut, by reason of the closed list.
        package var refusals: [String: UInt64]
        /// The policy of the last refusal, as `namespace/name`; nil if none decided it.
        package var policy: String?
        /// Bytes from the client to the server.
        package var sentBytes: UInt64
        /// Bytes from the server to the client.
        package var receivedBytes: UInt64
        /// When it was last used.
        package var lastSeen: Timestamp
        /// The nodes that saw it: the client's, the server's or both.
        package var nodes: [String]

        init(
            source: String, destination: String, service: String? = nil, security: Security,
            plaintextCause: String = "", opened: UInt64, open: Int = 0, refusals: [String: UInt64] = [:],
            policy: String? = nil, sentBytes: UInt64 = 0, receivedBytes: UInt64 = 0, lastSeen: Timestamp,
            nodes: [String] = []
        ) {
            self.source = source
            self.destination = destination
            self.service = service
            self.security = security
            self.plaintextCause = plaintextCause
            self.opened = opened
            self.open = open
            self.refusals = refusals
            self.policy = policy
            self.sentBytes = sentBytes
            self.receivedBytes = receivedBytes
            self.lastSeen = lastSeen
            self.nodes = nodes
        }

        /// Connections refused or cut.
        package var refused: UInt64 { refusals.values.reduce(0, &+) }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `EdgeList`.
    package var kind: String
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The edges, by source and destination.
    package var items: [Edge]
    /// Why edges of other nodes are missing; empty if none are.
    package var note: String

    package init(time: Timestamp, node: String, items: [Edge], note: String = "") {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.time = time
        self.node = node
        self.items = items
        self.note = note
    }
}

extension EdgesReport.Edge {
    private struct Key: Hashable {
        var source: String
        var destination: String
    }

    /// What one end counted apart by service, as one edge for each two ends.
    static func summed(_ edges: [EdgesReport.Edge]) -> [EdgesReport.Edge] {
        var summed: [Key: EdgesReport.Edge] = [:]
        for edge in edges {
            let key = Key(source: edge.source, destination: edge.destination)
            summed[key] = summed[key].map { $0.joined(with: edge, count: &+, open: &+) } ?? edge
        }
        return Array(summed.values)
    }

    /// One list out of what several agents saw. Both ends of a connection report it, so counts are not added up: the
    /// higher one is taken. A refusal that only one end saw is kept.
    static func merged(_ edges: [EdgesReport.Edge]) -> [EdgesReport.Edge] {
        var merged: [Key: EdgesReport.Edge] = [:]
        for edge in edges {
            let key = Key(source: edge.source, destination: edge.destination)
            merged[key] = merged[key].map { $0.joined(with: edge, count: max, open: max) } ?? edge
        }
        return merged.values.sorted { ($0.source, $0.destination) < ($1.source, $1.destination) }
    }

    private func joined(
        with other: EdgesReport.Edge, count: (UInt64, UInt64) -> UInt64, open together: (Int, Int) -> Int
    ) -> EdgesReport.Edge {
        var edge = lastSeen >= other.lastSeen ? self : other
        let older = lastSeen >= other.lastSeen ? other : self
        edge.service = Self.services(service, other.service)
        edge.opened = count(opened, other.opened)
        edge.open = together(open, other.open)
        edge.refusals = refusals.merging(other.refusals, uniquingKeysWith: count)
        edge.policy = edge.policy ?? older.policy
        edge.security = Self.joined(security, other.security)
        if edge.plaintextCause.isEmpty { edge.plaintextCause = older.plaintextCause }
        edge.sentBytes = count(sentBytes, other.sentBytes)
        edge.receivedBytes = count(receivedBytes, other.receivedBytes)
        edge.nodes = Set(nodes + other.nodes).sorted()
        return edge
    }

    private static func services(_ one: String?, _ other: String?) -> String? {
        let all = [one, other].compactMap(\.self).flatMap { $0.split(separator: ",") }
        return all.isEmpty ? nil : Set(all).sorted().joined(separator: ",")
    }

    /// Plaintext seen by either end is plaintext: a mesh must not look safer than it is.
    private static func joined(_ one: EdgesReport.Security, _ other: EdgesReport.Security) -> EdgesReport.Security {
        if one == other || other == .none { return one }
        return one == .none ? other : .mixed
    }
}
