/// What is wanted against what is enforced (`meshnode diff`).
package struct DiffReport: Report {
    package static let path = "/v1/diff"
    package static let kind = "Diff"

    /// One thing that can be wanted and enforced.
    package struct Item: Codable, Sendable, Equatable {
        /// What kind of thing.
        package enum Subject: String, Codable, Sendable, Equatable {
            case configuration
            case pod
            case certificate
            case policy
            case manifest
            case node
        }

        /// What kind of thing.
        package var subject: Subject
        /// Its name.
        package var object: String
        /// What is wanted.
        package var wanted: String
        /// What is enforced; `?` if that is not known.
        package var enforced: String
        /// Whether they are the same; false also if one is not known.
        package var isSame: Bool
        /// Why they differ; empty if they do not, or if that is not known.
        package var reason: String

        init(
            _ subject: Subject, _ object: String, wanted: String, enforced: String, isSame: Bool, reason: String = ""
        ) {
            self.subject = subject
            self.object = object
            self.wanted = wanted
            self.enforced = enforced
            self.isSame = isSame
            self.reason = reason
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion = ReportVersion.current
    /// Always `Diff`.
    package var kind = DiffReport.kind
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// Everything that was compared, what differs and what does not.
    package var items: [Item]

    init(time: Timestamp, node: String, items: [Item]) {
        self.time = time
        self.node = node
        self.items = items
    }

    /// What differs, or cannot be compared.
    package var differences: [Item] { items.filter { !$0.isSame } }
}
