/// The services that this agent knows (`meshnode services`), by namespace and name.
package struct ServicesReport: Report {
    package static let path = "/v1/services"
    package static let kind = "ServiceList"

    /// One service.
    package struct Item: Codable, Sendable, Equatable {
        /// Its namespace.
        package var namespace: String
        /// Its name.
        package var name: String
        /// Its full hostname.
        package var hostname: String
        /// Virtual addresses; empty for a headless service.
        package var addresses: [String]
        /// Ports, such as `80` or `80/http`.
        package var ports: [String]
        /// Endpoints that are ready.
        package var readyEndpoints: Int
        /// All endpoints.
        package var endpoints: Int
        /// Its endpoints, as `namespace/name address -> port`, ready or not.
        package var servers: [String]
        /// Its waypoint; empty if it has none.
        package var waypoint: String
        /// Policies that apply to any of its endpoints, as `namespace/name`.
        package var policies: [String]
        /// How an endpoint is chosen, in words; empty for the default.
        package var balancing: String
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `ServiceList`.
    package var kind = ServicesReport.kind
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// The services, by namespace and name.
    package var items: [Item]

    init(time: Timestamp, node: String, items: [Item]) {
        self.time = time
        self.node = node
        self.items = items
    }
}
