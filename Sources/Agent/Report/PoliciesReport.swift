/// The policies in force (`meshnode policies`), by namespace and name.
package struct PoliciesReport: Report {
    package static let path = "/v1/policies"
    package static let kind = "PolicyList"

    /// One policy.
    package struct Item: Codable, Sendable, Equatable {
        /// How far it reaches.
        package enum Scope: String, Codable, Sendable, Equatable {
            case mesh
            case namespace
            case workload
        }

        /// Its namespace.
        package var namespace: String
        /// Its name.
        package var name: String
        /// `AuthorizationPolicy` or `PeerAuthentication`.
        package var kind: String
        /// `ALLOW`, `DENY`, `AUDIT`, `CUSTOM`; `STRICT`, `PERMISSIVE`, `DISABLE`.
        package var action: String
        /// How far it reaches.
        package var scope: Scope
        /// Rules that it has; nil for a PeerAuthentication.
        package var rules: Int?
        /// Pods of this node that it applies to.
        package var pods: Int?
        /// Decisions that it made since the worker started.
        package var decisions: UInt64?
        /// Whether it only records what it would do.
        package var isDryRun: Bool
        /// How it is enforced differently from how it is written; empty if it is not.
        package var notes: [String]

        package init(
            namespace: String, name: String, kind: String, action: String, scope: Scope, rules: Int? = nil,
            pods: Int? = nil, decisions: UInt64? = nil, isDryRun: Bool = false, notes: [String] = []
        ) {
            self.namespace = namespace
            self.name = name
            self.kind = kind
            self.action = action
            self.scope = scope
            self.rules = rules
            self.pods = pods
            self.decisions = decisions
            self.isDryRun = isDryRun
            self.notes = notes
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `PolicyList`.
    package var kind: String
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The policies, by namespace and name.
    package var items: [Item]

    package init(time: Timestamp, node: String, items: [Item]) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.time = time
        self.node = node
        self.items = items
    }
}
