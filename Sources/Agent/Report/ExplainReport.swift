/// Would this connection be allowed, and why (`meshnode explain`). Made by the same router and the same authorizer that
/// decide about real connections.
package struct ExplainReport: Report {
    package static let path = "/v1/explain"
    package static let kind = "Explanation"

    /// What the answer is.
    package enum Answer: String, Codable, Sendable, Equatable {
        case allowed = "ALLOWED"
        case denied = "DENIED"
    }

    /// One end of the connection.
    package struct End: Codable, Sendable, Equatable {
        /// `namespace/name`, or the address of somebody whom the mesh does not know.
        package var name: String
        /// Its address; with the port for the server.
        package var address: String
        /// The node it runs on; empty if not known.
        package var node = ""
        /// Its SPIFFE ID; nil if it has none in this connection.
        package var identity: String?
        /// Whether its traffic is captured: `Captured`, `Pending`, `Failed`, `NotEnrolled`, `HostNetwork`, `?`.
        package var capture: String
        /// Whether its certificate can be used: `Valid`, `Missing`, `Expired`, `-`, `?`.
        package var certificate: String
        /// Whether its node's agent serves: `Ready`, `NotReady`, `Lost`, `?`.
        package var agent: String

        init(name: String, address: String, capture: String = "?", certificate: String = "?", agent: String = "?") {
            self.name = name
            self.address = address
            self.capture = capture
            self.certificate = certificate
            self.agent = agent
        }
    }

    /// One policy, and what it has to say.
    package struct Consideration: Codable, Sendable, Equatable {
        /// `namespace/name`.
        package var policy: String
        /// `AuthorizationPolicy` or `PeerAuthentication`.
        package var kind: String
        /// `ALLOW`, `DENY`, `AUDIT`, `CUSTOM`, `STRICT`.
        package var action: String
        /// `mesh`, `namespace` or `workload`.
        package var scope: PoliciesReport.Item.Scope
        /// Whether it only records.
        package var isDryRun: Bool
        /// Whether a rule of it matches.
        package var matches: Bool
        /// The rule that matches, from 0; nil if none does.
        package var rule: Int?
        /// Whether this is the policy that the answer comes from.
        package var decides: Bool
        /// The fields that made the rule match; empty if none matches, or if it matches everything.
        package var matched: [Match]
        /// For each rule that does not match, the first field that misses.
        package var misses: [Miss]
        /// How it is enforced differently from how it is written.
        package var notes: [String]
    }

    /// A field of the rule that matches.
    package struct Match: Codable, Sendable, Equatable {
        /// As it is written, such as `from[].source.principals`.
        package var field: String
        /// The value that agrees; of a negated field, what it is not.
        package var value: String
        /// What the connection has.
        package var was: String
    }

    /// The first field of a rule that does not match.
    package struct Miss: Codable, Sendable, Equatable {
        /// Counted from 0; nil if the policy has no rules.
        package var rule: Int?
        /// As it is written, such as `from[].source.principals`.
        package var field: String
        /// What it says.
        package var wanted: String
        /// What the connection has.
        package var was: String
    }

    /// What one endpoint would say.
    package struct Verdict: Codable, Sendable, Equatable {
        /// The server.
        package var server: End
        /// What the answer is.
        package var answer: Answer
        /// One of the closed list of reasons; empty if it is allowed.
        package var reason: String
        /// The decision in one line.
        package var summary: String
        /// How the bytes would travel, in words.
        package var way: String
        /// Every policy that applies, in the order in which they are asked.
        package var considered: [Consideration]
        /// AUDIT policies that would record it.
        package var audited: [String]
        /// What policies in dry run would have done: `pay/next would-deny`.
        package var dryRun: [String]
    }

    /// What is still known of a connection that was refused.
    package struct Earlier: Codable, Sendable, Equatable {
        /// The connection as it is remembered.
        package var connection: ConnectionsReport.Refused
        /// What has changed since, in words; empty if nothing has.
        package var changes: [String]
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `Explanation`.
    package var kind = ExplainReport.kind
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The controller's version of the configuration that the answer is made from; nil if not known.
    package var configurationVersion: UInt64?
    /// Who would connect.
    package var source: End
    /// What it would connect to: address and port, with the name of the service if it is one.
    package var destination: String
    /// What the answer is: denied if any endpoint that might be picked denies.
    package var answer: Answer
    /// One of the closed list of reasons; empty if it is allowed.
    package var reason: String
    /// The decision in one line.
    package var summary: String
    /// How the connection travels, step by step.
    package var route: [String]
    /// What each endpoint that might be picked would say; empty if it gets to none.
    package var verdicts: [Verdict]
    /// Limits and egress mode that hold for the two namespaces.
    package var rules: [String]
    /// What else matters: a state of either end that stands in the way, a guess that was made.
    package var notes: [String]
    /// For a connection that was refused: what is remembered of it.
    package var earlier: Earlier?
}
