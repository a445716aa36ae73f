/// The answer to "is the mesh well?" for all of its nodes (`meshnode status`). What is not known is nil, never a guessed
/// good value.
package struct MeshStatusReport: Report {
    package static let path = "/v1/mesh"
    package static let kind = "MeshStatus"

    /// One node.
    package struct Node: Codable, Sendable, Equatable {
        /// Whether its agent serves.
        package enum State: String, Codable, Sendable, Equatable {
            case ready = "Ready"
            case notReady = "NotReady"
            /// Silent for 15 seconds or longer.
            case lost = "Lost"
            /// Its worker is down, and the keeper starts another.
            case restarting = "Restarting"
            /// Nobody could be asked, or it is silent for less than that.
            case unknown = "?"
        }

        /// Its name.
        package var name: String
        /// Whether its agent serves.
        package var state: State
        /// Why it does not, or why that is not known; empty if it does.
        package var reason = ""
        /// Seconds since it last reported; nil if it never did.
        package var silentSeconds: Int64?
        /// Version of its agent.
        package var version: String?
        /// Pods to be captured.
        package var enrolledPods: Int?
        /// Pods captured.
        package var capturedPods: Int?
        /// Open connections.
        package var connections: UInt64?
        /// Certificates that it needs.
        package var certificates: Int?
        /// Of those, the valid ones.
        package var validCertificates: Int?
        /// The controller's version of the configuration in force.
        package var configurationVersion: UInt64?
        /// How often its worker was started again.
        package var restarts: Int?
        /// Resident memory of keeper and worker, in bytes.
        package var residentBytes: UInt64?
        /// Pods that are to be captured and are not.
        package var missingPods: [PodsStatus.Missing] = []
        /// What it carried in the last minute.
        package var traffic = TrafficStatus()
        /// Connections refused there of late, the latest last.
        package var refusals: [ConnectionsReport.Refused] = []

        init(name: String, state: State) {
            self.name = name
            self.state = state
        }
    }

    /// The mesh's controller.
    package struct Controller: Codable, Sendable, Equatable {
        /// Whether it answered.
        package enum State: String, Codable, Sendable, Equatable {
            case ok = "OK"
            case lost = "LOST"
            case unknown = "?"
        }

        /// Whether it answered.
        package var state: State
        /// Where it runs; empty if not known.
        package var place = ""
        /// Version of its snapshot.
        package var snapshotVersion: UInt64?
        /// Age of that snapshot's last change, in seconds.
        package var snapshotAgeSeconds: Int64?
        /// Why it did not answer; empty if it did.
        package var reason = ""
    }

    /// The mesh's certificate authority.
    package struct Authority: Codable, Sendable, Equatable {
        /// Whether it signs.
        package var state: AuthorityStatus.State
        /// When the first root of the bundle expires.
        package var rootExpires: Timestamp?
        /// When the issuing certificate expires.
        package var issuerExpires: Timestamp?
        /// Where a change of the root stands; nil if not known.
        package var rotation: ControllerFacts.Rotation?
        /// Why it does not sign; empty if it does.
        package var reason = ""
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `MeshStatus`.
    package var kind = MeshStatusReport.kind
    /// Version of whoever answers.
    package var version: String
    /// The mesh's own trust domain; empty if not known.
    package var trustDomain: String
    /// When this was true.
    package var time: Timestamp
    /// The node that was asked, or `controller`.
    package var answeredBy: String
    /// The whole in one word.
    package var verdict: StatusReport.Verdict
    /// The controller.
    package var controller: Controller
    /// The certificate authority.
    package var certificateAuthority: Authority
    /// The nodes, by name.
    package var nodes: [Node]
    /// What the nodes that are heard of carried in the last minute, together.
    package var traffic: TrafficStatus
    /// Nodes whose traffic is not in there.
    package var nodesWithoutTraffic: Int
    /// What is wrong, errors first.
    package var problems: [Problem]
    /// What is wrong in the manifests.
    package var manifestProblems: [ManifestProblem]
    /// Why only part of the mesh is shown; empty if all is.
    package var note: String
}

extension MeshStatusReport {
    /// The report with only that node, its problems and refusals; nil if there is no such node.
    package func kept(toNode name: String) -> MeshStatusReport? {
        guard let node = nodes.first(where: { $0.name == name }) else { return nil }
        var report = self
        report.nodes = [node]
        report.problems = problems.filter {
            $0.object == name || $0.object.hasPrefix("\(name): ") || $0.nodes?.contains(name) == true
        }
        report.manifestProblems = []
        report.traffic = node.traffic
        report.nodesWithoutTraffic = node.traffic.opened == nil ? 1 : 0
        report.verdict = Self.verdict(report.nodes, report.problems, [])
        return report
    }
}
