/// What the agent of one node tells its controller every few seconds, so that one question shows the whole mesh. On the
/// wire it is the JSON of a `NodeReport`; every list is bounded, so that the whole stays far below a mebibyte.
package struct NodeStatus: Codable, Sendable, Equatable {
    static let kind = "NodeStatus"

    /// The most problems, refusals and edges of one node that travel; the rest can be asked on the node itself.
    enum Limit {
        static let problems = 50
        static let refusals = 50
        static let edges = 200
        static let missingPods = 50
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `NodeStatus`.
    package var kind = NodeStatus.kind
    /// When this was true, by the node's own clock.
    package var time: Timestamp
    /// Name of the node.
    package var node: String
    /// Version of its agent.
    package var version: String
    /// Whether it serves captured connections.
    package var isReady: Bool
    /// Why not; empty if it does.
    package var notReadyReason = ""
    /// Its pods, wanted and captured.
    package var pods = PodsStatus()
    /// Certificates that it needs.
    package var certificates: Int?
    /// Of those, the ones that it holds and that are valid.
    package var validCertificates: Int?
    /// The controller's version of the configuration in force.
    package var configurationVersion: UInt64?
    /// Age of its last change, in seconds.
    package var configurationAgeSeconds: Int64?
    /// How often the worker was started again.
    package var workerRestarts: Int?
    /// Resident memory of keeper and worker together, in bytes.
    package var residentBytes: UInt64?
    /// What was carried in the last minute.
    package var traffic = TrafficStatus()
    /// What is wrong there, errors first.
    package var problems: [Problem] = []
    /// Problems, refusals, pods and edges that did not fit.
    package var omitted = 0
    /// The connections refused of late, the latest last.
    package var refusals: [ConnectionsReport.Refused] = []
    /// Who talked to whom of late.
    package var edges: [EdgesReport.Edge] = []

    init(time: Timestamp, node: String, version: String, isReady: Bool) {
        self.time = time
        self.node = node
        self.version = version
        self.isReady = isReady
    }

    /// The same with every list cut to its bound; `omitted` says how much that took away.
    var bounded: NodeStatus {
        var status = self
        status.problems = cut(problems, Limit.problems, &status.omitted)
        // The latest are last, and they are what somebody looks for.
        status.refusals = cut(refusals.reversed(), Limit.refusals, &status.omitted).reversed()
        status.edges = cut(edges, Limit.edges, &status.omitted)
        status.pods.failed = cut(pods.failed, Limit.missingPods, &status.omitted)
        status.pods.pending = cut(pods.pending, Limit.missingPods, &status.omitted)
        return status
    }

    private func cut<Element>(_ list: [Element], _ limit: Int, _ omitted: inout Int) -> [Element] {
        omitted += max(0, list.count - limit)
        return Array(list.prefix(limit))
    }
}

/// One node's report as its controller keeps it.
package struct NodeAccount: Sendable, Equatable {
    /// Name of the node, as its certificate says it.
    package var node: String
    /// The last report; nil if none came, or none that can be read.
    package var status: NodeStatus?
    /// How long ago it came.
    package var ageInMilliseconds: UInt64
    /// Whether its stream is there.
    package var isConnected: Bool

    /// - Parameter json: of a `NodeStatus`, as it came over the wire; what cannot be read counts as no report.
    package init(node: String, json: [UInt8], ageInMilliseconds: UInt64, isConnected: Bool) {
        self.init(
            node: node, status: ReportCoding.decode(NodeStatus.self, json), ageInMilliseconds: ageInMilliseconds,
            isConnected: isConnected)
    }

    init(node: String, status: NodeStatus?, ageInMilliseconds: UInt64, isConnected: Bool) {
        self.node = node
        self.status = status
        self.ageInMilliseconds = ageInMilliseconds
        self.isConnected = isConnected
    }
}
