/// Preconditions and components, each as a line with what to do (`meshnode check`). Made by the command itself, since it
/// has to work before there is an agent.
package struct CheckReport: Report {
    package static let path = "/v1/check"
    package static let kind = "Check"

    /// One thing that was looked at.
    package struct Item: Codable, Sendable, Equatable {
        /// What was found.
        package enum Outcome: String, Codable, Sendable, Equatable {
            case passed = "OK"
            case failed = "FAILED"
            case warning = "WARNING"
            /// It could not be found out.
            case unknown = "?"
        }

        /// What was looked at.
        package var name: String
        /// What was found.
        package var outcome: Outcome
        /// What was found, in words.
        package var detail: String
        /// What to do about it; empty if nothing.
        package var remedy: String

        package init(_ name: String, _ outcome: Outcome, _ detail: String, remedy: String = "") {
            self.name = name
            self.outcome = outcome
            self.detail = detail
            self.remedy = remedy
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `Check`.
    package var kind = CheckReport.kind
    /// What was looked at, in order.
    package var items: [Item]

    package init(items: [Item]) { self.items = items }
}
