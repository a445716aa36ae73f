/// What the agent answers on its unix socket, as JSON. Each report is a value: the agent fills it, the command line
/// renders it, and neither needs the other to be tested.
package protocol Report: Codable, Sendable, Equatable {
    /// The path that serves it, such as `/v1/status`.
    static var path: String { get }

    /// The kind that stands in the JSON beside `apiVersion`, such as `Status`.
    static var kind: String { get }
}

/// The version of the JSON form; it changes only when a field changes its meaning or goes away.
package enum ReportVersion {
    /// The version that this build writes and reads.
    package static let current = "cli.meshnode.dev/v1"
}

/// The answer to a request that the agent could not serve, with an HTTP status that is not 200.
package struct ErrorReport: Codable, Sendable, Equatable {
    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `Error`.
    package var kind: String
    /// What failed and what the operator can check, in one plain sentence.
    package var message: String

    package init(message: String) {
        self.apiVersion = ReportVersion.current
        self.kind = "Error"
        self.message = message
    }
}
