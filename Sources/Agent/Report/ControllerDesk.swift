/// What the controller answers on its own socket: a pure function of what it knows, so that the whole mesh can be seen
/// while a node's worker is down.
package enum ControllerDesk {
    /// What the controller knows.
    package struct State: Sendable, Equatable {
        /// What it tells of itself.
        package var facts: ControllerFacts
        /// The nodes' last reports.
        package var accounts: [NodeAccount]

        package init(facts: ControllerFacts, accounts: [NodeAccount]) {
            self.facts = facts
            self.accounts = accounts
        }
    }

    /// An answer in HTTP's terms.
    package struct Answer: Sendable, Equatable {
        /// 200 or 404.
        package var status: Int
        /// JSON.
        package var body: [UInt8]
    }

    /// Answers a GET of `path`, which may have a query.
    package static func answer(_ path: String, _ state: State) -> Answer {
        switch AdminTarget(path).path {
        case MeshStatusReport.path, "/mesh": found(mesh(state))
        case EdgesReport.path, "/edges": found(edges(state))
        case VersionReport.path: found(VersionReport.current)
        default:
            Answer(
                status: 404, body: ReportCoding.encode(ErrorReport(message: "the controller has no report at \(path)")))
        }
    }

    private static func found(_ report: some Report) -> Answer {
        Answer(status: 200, body: ReportCoding.encode(report))
    }

    private static func mesh(_ state: State) -> MeshStatusReport {
        MeshStatusReport(
            MeshOutlook(
                time: state.facts.time, answeredBy: "controller", trustDomain: state.facts.trustDomain,
                accounts: state.accounts, controller: state.facts))
    }

    private static func edges(_ state: State) -> EdgesReport {
        EdgesReport(
            time: state.facts.time, node: "controller",
            items: EdgesReport.Edge.merged(state.accounts.compactMap(\.status).flatMap(\.edges)))
    }
}
