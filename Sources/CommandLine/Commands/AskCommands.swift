internal import Agent
internal import ArgumentParser

/// `meshnode explain`: would it be allowed, and why?
struct ExplainCommand: ReportCommand {
    typealias Answer = ExplainReport

    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Would this connection be allowed, and why?",
        discussion: """
            SOURCE is namespace/pod, a pod with -n, or an address. DESTINATION is
            namespace/pod:port, service.namespace:port or address:port.

              meshnode explain shop/web api.pay:80
              meshnode explain shop/web 10.240.2.10:8080 --plaintext
              meshnode explain --id 72057594037927937   (from the access log)

            Ends with 0 if it is allowed, with 2 if it is denied, with 65 if an end is
            not known.
            """)

    @OptionGroup var options: ReportOptions

    @Argument(help: ArgumentHelp("Who would connect.", valueName: "source"))
    var source: String?

    @Argument(help: ArgumentHelp("What it would connect to, with the port.", valueName: "destination"))
    var destination: String?

    @Option(help: ArgumentHelp("A refused connection, by its id.", valueName: "id"))
    var id: String?

    @Flag(help: "Ask as a client without identity.")
    var plaintext = false

    @Option(name: .shortAndLong, help: ArgumentHelp("Namespace of names without one.", valueName: "name"))
    var namespace: String?

    func validate() throws {
        if id != nil {
            guard source == nil, destination == nil, !plaintext else {
                throw ValidationError("--id stands alone: the connection says who it was.")
            }
        } else if source == nil || destination == nil {
            throw ValidationError("Say who connects to what: meshnode explain shop/web api.pay:80")
        }
    }

    var query: [String: String] {
        if let id { return ["id": id] }
        var query = ["src": source.map(placed) ?? "", "dst": destination.map(placed) ?? ""]
        if plaintext { query["plaintext"] = "1" }
        return query
    }

    /// A bare name is put into the namespace of `-n`; what has a namespace, or is an address or a hostname, stays.
    private func placed(_ text: String) -> String {
        let isBare = !text.contains("/") && !text.contains(".") && !text.contains("[")
        guard let namespace, isBare, text.count(where: { $0 == ":" }) < 2 else { return text }
        return "\(namespace)/\(text)"
    }

    func status(of report: ExplainReport) -> ExitStatus { report.answer == .allowed ? .ok : .no }
}

/// `meshnode edges`: who talks to whom, secured or why not?
struct EdgesCommand: ReportCommand {
    typealias Answer = EdgesReport

    static let configuration = CommandConfiguration(
        commandName: "edges", abstract: "Who talks to whom, secured or why not?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions

    @Flag(help: "Only what this node saw.")
    var local = false

    @Flag(help: "Only edges with connections in plaintext.")
    var plaintext = false

    @Flag(help: "Only edges with refused connections.")
    var denied = false

    var onlyNamespace: String? { namespaces.only }

    var query: [String: String] { local ? ["local": "1"] : [:] }

    func chosen(_ report: EdgesReport) throws -> EdgesReport {
        report.kept(to: onlyNamespace).kept { edge in
            (!plaintext || edge.security == .plaintext || edge.security == .mixed) && (!denied || edge.refused > 0)
        }
    }
}

/// `meshnode services`: which services are there, and who serves them?
struct ServicesCommand: ReportCommand {
    typealias Answer = ServicesReport

    static let configuration = CommandConfiguration(
        commandName: "services", abstract: "Which services are there, and how many endpoints are ready?")

    @OptionGroup var options: ReportOptions
    @OptionGroup var namespaces: NamespaceOptions
    var onlyNamespace: String? { namespaces.only }
}

/// `meshnode diff`: is what is wanted enforced?
struct DiffCommand: ReportCommand {
    typealias Answer = DiffReport

    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Is what is wanted enforced?",
        discussion: "Ends with 2 if something differs, or cannot be compared. -o wide shows what is the same, too.")

    @OptionGroup var options: ReportOptions

    func status(of report: DiffReport) -> ExitStatus { report.differences.isEmpty ? .ok : .no }
}

/// `meshnode check`: does this node have what the mesh needs, and does all of it run?
struct CheckCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Does this node have what the mesh needs, and does all of it run?",
        discussion: "Ends with 2 if something failed, with 3 under --fail-on warning if something is in doubt.")

    @OptionGroup var options: ReportOptions

    @Flag(help: "Only what must hold before an agent is started here.")
    var pre = false

    @Option(help: ArgumentHelp("error, or warning to end with 3 if something is in doubt.", valueName: "severity"))
    var failOn = StatusCommand.FailOn.error

    func run(on console: Console) throws -> Int32 {
        try ReportLoop.run(options, on: console, ask: { report(on: console) }, status: status).rawValue
    }

    private func report(on console: Console) -> CheckReport {
        let host = HostFacts(read: console.readFile)
        guard !pre else { return CheckReport(items: Preconditions(host: host, isBeforeInstallation: true).items) }
        let ask = ask(console)
        var preconditions = Preconditions(host: host, isBeforeInstallation: false)
        preconditions.hasCapturedPods = ((try? ask.node())?.pods.captured ?? 0) > 0
        return CheckReport(items: preconditions.items + ComponentCheck(ask: ask).items)
    }

    private func ask(_ console: Console) -> ComponentCheck.Ask {
        let client = console.makeClient(options.socketPath(in: console.environment))
        let directory = options.runDirectory(in: console.environment)
        return ComponentCheck.Ask(
            keeper: { console.readKeeper("\(directory)/keeper.sock") },
            node: { try ReportText.decode(StatusReport.self, from: client.get(StatusReport.path)) },
            mesh: { try ReportText.decode(MeshStatusReport.self, from: client.get(MeshStatusReport.path)) })
    }

    private func status(of report: CheckReport) -> ExitStatus {
        if report.items.contains(where: { $0.outcome == .failed }) { return .no }
        let isInDoubt = report.items.contains { $0.outcome == .warning || $0.outcome == .unknown }
        return failOn == .warning && isInDoubt ? .warnings : .ok
    }
}
