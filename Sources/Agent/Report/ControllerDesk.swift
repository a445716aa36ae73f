/// What the controller answers on its own socket: a pure function of what it knows, so that the whole mesh can be seen
/// while a node's worker is down.
package enum ControllerDesk {
    /// What the controller knows.
    package struct State: Sendable, Equatable {
        /// What it tells of itself.
        package var facts: ControllerFacts
        /// The nodes' last reports.
        package var accounts: [NodeAccount]
        /// The node that it answers on; nil if it is no part of an agent.
        package var node: String?

        package init(facts: ControllerFacts, accounts: [NodeAccount], node: String? = nil) {
            self.facts = facts
            self.accounts = accounts
            self.node = node
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

    /// What a node tells whose controller is elsewhere and does not answer: that, and its own name.
    package static func answer(_ path: String, withoutController outlook: MeshOutlook) -> Answer {
        guard AdminTarget(path).path == MeshStatusReport.path else {
            let message = "the controller cannot be reached from this node: \(outlook.controllerFailure)"
            return Answer(status: 503, body: ReportCoding.encode(ErrorReport(message: message)))
        }
        return found(MeshStatusReport(outlook))
    }

    private static func found(_ report: some Report) -> Answer {
        Answer(status: 200, body: ReportCoding.encode(report))
    }

    private static func mesh(_ state: State) -> MeshStatusReport {
        MeshStatusReport(
            MeshOutlook(
                time: state.facts.time, answeredBy: state.node ?? "controller", trustDomain: state.facts.trustDomain,
                accounts: state.accounts, controller: state.facts))
    }

    private static func edges(_ state: State) -> EdgesReport {
        EdgesReport(
            time: state.facts.time, node: "controller",
            items: EdgesReport.Edge.merged(state.accounts.compactMap(\.status).flatMap(\.edges)))
    }
}
