internal import Agent
internal import ArgumentParser

/// `meshnode status`: is the mesh well?
struct StatusCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Is the mesh well?",
        discussion: """
            Shows all nodes, as the controller last heard of them. If no worker answers on
            this node, the keeper and the controller are asked. Ends with 0 if the mesh is
            well, with 2 if it is not, with 4 if nobody answers.
            """)

    /// What else than an error is a bad end.
    enum FailOn: String, ExpressibleByArgument, CaseIterable {
        case error
        case warning
    }

    @OptionGroup var options: ReportOptions

    @Flag(help: "Only this node, from its own agent; needs no controller.")
    var local = false

    @Option(help: ArgumentHelp("Only this node, with what was refused there of late.", valueName: "name"))
    var node: String?

    @Option(help: ArgumentHelp("Ask the controller behind this socket, not an agent.", valueName: "path"))
    var controller: String?

    @Option(help: ArgumentHelp("error, or warning to end with 3 if there are warnings.", valueName: "severity"))
    var failOn = FailOn.error

    func validate() throws {
        guard !local || (node == nil && controller == nil) else {
            throw ValidationError("--local excludes --node and --controller.")
        }
    }

    func run(on console: Console) throws -> Int32 {
        guard local else {
            return try ReportLoop.run(options, on: console, ask: { try mesh(on: console) }, status: status).rawValue
        }
        return try ReportLoop.run(options, on: console, ask: { try ownNode(on: console) }, status: status).rawValue
    }

    // MARK: Asking

    private func ownNode(on console: Console) throws -> StatusReport {
        if let keeper = keeper(on: console), keeper.restartsInSeconds != nil {
            throw CommandError(.unreachable, "\(keeper.workerText); `meshnode status` shows the rest")
        }
        let client = console.makeClient(options.socketPath(in: console.environment))
        return try ReportText.decode(StatusReport.self, from: client.get(StatusReport.path))
    }

    private func keeper(on console: Console) -> KeeperView? {
        console.readKeeper("\(options.runDirectory(in: console.environment))/keeper.sock")
    }

    private func mesh(on console: Console) throws -> MeshStatusReport {
        let report = try wholeMesh(on: console)
        guard let node else { return report }
        guard let kept = report.kept(toNode: node) else {
            let names = report.nodes.map(\.name).joined(separator: ", ")
            throw CommandError(.badInput, "no node '\(node)' is known; there are: \(names.isEmpty ? "none" : names)")
        }
        return kept
    }

    private func wholeMesh(on console: Console) throws -> MeshStatusReport {
        if let controller { return try ask(controller, on: console) }
        let keeper = keeper(on: console)
        // While there is no worker its socket only queues: nobody should wait for the next one to be told so.
        if let keeper, keeper.restartsInSeconds != nil, let report = withoutWorker(on: console, keeper) {
            return report
        }
        do {
            return try ask(options.socketPath(in: console.environment), on: console)
        } catch let error as CommandError where error.status == .unreachable {
            guard let report = withoutWorker(on: console, keeper) else { throw error }
            return report
        }
    }

    private func ask(_ socket: String, on console: Console) throws -> MeshStatusReport {
        try ReportText.decode(
            MeshStatusReport.self, from: console.makeClient(socket).get(MeshStatusReport.path))
    }

    /// The worker is down, or there is no agent: whoever else knows something is asked.
    /// - Returns: nil if nobody does.
    private func withoutWorker(on console: Console, _ keeper: KeeperView?) -> MeshStatusReport? {
        let directory = options.runDirectory(in: console.environment)
        let known = try? ask("\(directory)/controller-admin.sock", on: console)
        guard keeper != nil || known != nil else { return nil }
        // The keeper need not know its name, and the host's may be another.
        let own = known.map(\.answeredBy).flatMap { $0 == "controller" ? nil : $0 }
        return MeshStatusReport(
            keeper: keeper, node: keeper?.node ?? own ?? console.hostName(), controller: known, time: console.now())
    }

    // MARK: The end

    private func status(of report: StatusReport) -> ExitStatus {
        Self.status(report.verdict, hasWarnings: !report.problems.isEmpty || !report.manifestProblems.isEmpty, failOn)
    }

    private func status(of report: MeshStatusReport) -> ExitStatus {
        Self.status(report.verdict, hasWarnings: !report.problems.isEmpty || !report.manifestProblems.isEmpty, failOn)
    }

    private static func status(_ verdict: StatusReport.Verdict, hasWarnings: Bool, _ failOn: FailOn) -> ExitStatus {
        guard verdict == .ok else { return .no }
        return failOn == .warning && hasWarnings ? .warnings : .ok
    }
}
