internal import XDS

/// What became of the question for the whole mesh.
enum MeshAnswer: Sendable, Equatable {
    /// What the controller knows; its own facts are nil if they cannot be read.
    case answered([NodeAccount], ControllerFacts?)
    /// Nobody answered, and why.
    case unreachable(String)

    /// As it came from the controller.
    init(_ report: MeshReport) {
        let accounts = report.nodes.map { entry in
            NodeAccount(
                node: entry.report.node, json: entry.report.json, ageInMilliseconds: entry.ageInMilliseconds,
                isConnected: entry.isConnected)
        }
        self = .answered(accounts, ReportCoding.decode(ControllerFacts.self, report.controllerJSON))
    }
}

/// Asks the controller for what it knows of all nodes. Called on the control loop; `complete` may be called from any
/// thread, once.
typealias MeshQuestion = @Sendable (_ complete: @escaping @Sendable (MeshAnswer) -> Void) -> Void
