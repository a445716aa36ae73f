/// The answer to "is the mesh well, as seen from this node?" (`meshnode status`). What is not known is nil, never a
/// guessed good value.
package struct StatusReport: Report {
    package static let path = "/v1/status"
    package static let kind = "Status"

    /// The one word that stands first.
    package enum Verdict: String, Codable, Sendable, Equatable {
        /// Nothing is wrong but, perhaps, warnings.
        case ok = "OK"
        /// Not ready for the first time yet.
        case starting = "STARTING"
        /// At least one error.
        case degraded = "DEGRADED"
        /// This node serves no captured traffic.
        case down = "DOWN"
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `Status`.
    package var kind: String
    /// Version of the agent.
    package var version: String
    /// The mesh's own trust domain.
    package var trustDomain: String
    /// When this was true.
    package var time: Timestamp
    /// Name of the node.
    package var node: String
    /// The whole in one word.
    package var verdict: Verdict
    /// The controller that this agent listens to.
    package var controller: ControllerStatus
    /// Who signs the certificates.
    package var certificateAuthority: AuthorityStatus
    /// Keeper and worker of this node.
    package var agent: AgentStatus
    /// The pods of this node.
    package var pods: PodsStatus
    /// What was carried in the last minute.
    package var traffic: TrafficStatus
    /// What is wrong, errors first.
    package var problems: [Problem]
    /// What is wrong in the manifests.
    package var manifestProblems: [ManifestProblem]

    package init(
        version: String, trustDomain: String, time: Timestamp, node: String, verdict: Verdict,
        controller: ControllerStatus = ControllerStatus(), certificateAuthority: AuthorityStatus = AuthorityStatus(),
        agent: AgentStatus = AgentStatus(), pods: PodsStatus = PodsStatus(), traffic: TrafficStatus = TrafficStatus(),
        problems: [Problem] = [], manifestProblems: [ManifestProblem] = []
    ) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.version = version
        self.trustDomain = trustDomain
        self.time = time
        self.node = node
        self.verdict = verdict
        self.controller = controller
        self.certificateAuthority = certificateAuthority
        self.agent = agent
        self.pods = pods
        self.traffic = traffic
        self.problems = problems
        self.manifestProblems = manifestProblems
    }
}
