internal import Agent
internal import ArgumentParser

/// `meshnode status`: is the mesh well, as seen from this node?
struct StatusCommand: ReportCommand {
    typealias Answer = StatusReport

    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Is the mesh well, as seen from this node?",
        discussion: "Ends with 0 if it is, with 2 if it is not, with 4 if no agent answers.")

    /// What else than an error is a bad end.
    enum FailOn: String, ExpressibleByArgument, CaseIterable {
        case error
        case warning
    }

    @OptionGroup var options: ReportOptions

    @Option(help: ArgumentHelp("error, or warning to end with 3 if there are warnings.", valueName: "severity"))
    var failOn = FailOn.error

    func status(of report: StatusReport) -> ExitStatus {
        guard report.verdict == .ok else { return .no }
        let hasWarnings = !report.problems.isEmpty || !report.manifestProblems.isEmpty
        return failOn == .warning && hasWarnings ? .warnings : .ok
    }
}

/// `meshnode workloads`: who is in the mesh.
struct WorkloadsCommand: ReportCommand {
    typealias Answer = WorkloadsReport

    static let configuration = CommandConfiguration(
        commandName: "workloads", abstract: "Who is in the mesh, and is it captured?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions
    var onlyNamespace: String? { namespaces.only }
}

/// `meshnode connections`: what is open, and what was refused and why.
struct ConnectionsCommand: ReportCommand {
    typealias Answer = ConnectionsReport

    static let configuration = CommandConfiguration(
        commandName: "connections", abstract: "What is open, what was refused, and why?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions
    var onlyNamespace: String? { namespaces.only }
}

/// `meshnode certificates`: what this node holds and trusts.
struct CertificatesCommand: ReportCommand {
    typealias Answer = CertificatesReport

    static let configuration = CommandConfiguration(
        commandName: "certificates", abstract: "Which certificates does this node hold and trust?")

    @OptionGroup var options: ReportOptions
}

/// `meshnode policies`: what is in force.
struct PoliciesCommand: ReportCommand {
    typealias Answer = PoliciesReport

    static let configuration = CommandConfiguration(
        commandName: "policies", abstract: "Which policies are in force, and how far do they reach?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions
    var onlyNamespace: String? { namespaces.only }
}

/// `meshnode version`: the version of this command and, if one answers, of the agent.
struct VersionCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "The version of this command, and of the agent if one answers.")

    @OptionGroup var options: ReportOptions

    func run(on console: Console) throws -> Int32 {
        let own = VersionReport(version: MeshnodeVersion.current)
        let client = console.makeClient(options.socketPath(in: console.environment))
        let agent = try? ReportText.decode(VersionReport.self, from: client.get(VersionReport.path))
        switch options.output {
        case .json: console.write(try ReportText.json(agent ?? own))
        case .name: console.write("meshnode/\(own.version)\n")
        case .table, .wide: console.write(VersionText.text(command: own, agent: agent))
        }
        return ExitStatus.ok.rawValue
    }
}
