internal import Agent
internal import ArgumentParser

/// `meshnode workloads`: who is in the mesh.
struct WorkloadsCommand: ReportCommand {
    typealias Answer = WorkloadsReport

    static let configuration = CommandConfiguration(
        commandName: "workloads", abstract: "Who is in the mesh, and is it captured?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions

    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("Only pods with these labels, such as app=web.", valueName: "label=value"))
    var selector: String?

    var onlyNamespace: String? { namespaces.only }

    func chosen(_ report: WorkloadsReport) throws -> WorkloadsReport {
        let report = report.kept(to: onlyNamespace)
        guard let selector else { return report }
        return try LabelSelector(selector).kept(report)
    }
}

/// `meshnode connections`: what is open, and what was refused and why.
struct ConnectionsCommand: ReportCommand {
    typealias Answer = ConnectionsReport

    static let configuration = CommandConfiguration(
        commandName: "connections", abstract: "What is open, what was refused, and why?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions

    @Flag(help: "Only those that were refused, with their ids for `explain --id`.")
    var denied = false

    var onlyNamespace: String? { namespaces.only }

    func run(on console: Console) throws -> Int32 {
        guard denied else { return try look(on: console).rawValue }
        return try ReportLoop.run(
            options, on: console, ask: { RefusedConnections(report: try chosen(ask(on: console))) },
            status: { _ in .ok }, nothing: onlyNamespace.map { "No connections refused of late in namespace \($0).\n" }
        )
        .rawValue
    }
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
        case .yaml: console.write(try YAML.text(of: ReportText.json(agent ?? own).utf8))
        case .name: console.write("meshnode/\(own.version)\n")
        case .table, .wide: console.write(VersionText.text(command: own, agent: agent))
        }
        return ExitStatus.ok.rawValue
    }
}
