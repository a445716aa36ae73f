/// The workloads that this agent knows (`meshnode workloads`), by namespace and name.
package struct WorkloadsReport: Report {
    package static let path = "/v1/workloads"
    package static let kind = "WorkloadList"

    /// One workload.
    package struct Item: Codable, Sendable, Equatable {
        /// Whether its traffic goes through the mesh.
        package enum Capture: String, Codable, Sendable, Equatable {
            /// On this node, rules in force and served.
            case captured = "Captured"
            /// On this node, to be captured, not yet.
            case pending = "Pending"
            /// On this node, to be captured, and could not be.
            case failed = "Failed"
            /// In the mesh, on another node.
            case remote = "Remote"
            /// Not in the mesh.
            case none = "None"
        }

        /// Its namespace.
        package var namespace: String
        /// Its name.
        package var name: String
        /// The node it runs on; empty if none.
        package var node: String
        /// Its addresses, as text.
        package var addresses: [String]
        /// Its SPIFFE ID.
        package var identity: String
        /// `HBONE` or `TCP`.
        package var `protocol`: String
        /// Ready and not being deleted.
        package var isHealthy: Bool
        /// Whether its traffic goes through the mesh.
        package var capture: Capture
        /// Why it is pending or failed; empty otherwise.
        package var reason: String
        /// Open connections on this node; nil for a workload of another node.
        package var connections: Int?
        /// When the certificate that this agent holds for it expires.
        package var certificateExpires: Timestamp?
        /// Services that it is an endpoint of, as `namespace/name`.
        package var services: [String]
        /// Policies that apply to it, as `namespace/name`.
        package var policies: [String]
        /// The labels that agents are told of; nil for none.
        package var labels: [String: String]?

        package init(
            namespace: String, name: String, node: String, addresses: [String], identity: String, protocol: String,
            isHealthy: Bool, capture: Capture, reason: String = "", connections: Int? = nil,
            certificateExpires: Timestamp? = nil, services: [String] = [], policies: [String] = [],
            labels: [String: String]? = nil
        ) {
            self.namespace = namespace
            self.name = name
            self.node = node
            self.addresses = addresses
            self.identity = identity
            self.protocol = `protocol`
            self.isHealthy = isHealthy
            self.capture = capture
            self.reason = reason
            self.connections = connections
            self.certificateExpires = certificateExpires
            self.services = services
            self.policies = policies
            self.labels = labels
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `WorkloadList`.
    package var kind: String
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The workloads, by namespace and name.
    package var items: [Item]

    package init(time: Timestamp, node: String, items: [Item]) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.time = time
        self.node = node
        self.items = items
    }
}
