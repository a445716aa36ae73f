internal import Agent
internal import ArgumentParser
internal import Mesh

/// `meshnode controller`: the mesh's controller by itself.
struct ControllerCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "controller",
        abstract: "Run the mesh's controller without an agent: for nodes that carry no pods.",
        discussion: """
            Reads Kubernetes manifests, tells the agents what the mesh is, and signs their
            certificates. Needs no privileges but its files and its port. Agents join with
            a token: see meshnode token create.
            """
    )

    @Option(help: ArgumentHelp("Directory of Kubernetes manifests, read and watched.", valueName: "dir"))
    var config: String

    @Option(help: ArgumentHelp("Where agents find it.", valueName: "address:port"))
    var listen = "[::]:15012"

    @Option(help: ArgumentHelp("Trust domain of the mesh.", valueName: "name"))
    var trustDomain = "cluster.local"

    @Option(
        name: .customLong("root-namespace"),
        help: ArgumentHelp(
            "Namespace whose policies hold for the whole mesh; may be repeated (default: meshnode-system, istio-system).",
            valueName: "name"))
    var rootNamespace: [String] = []

    @Option(help: ArgumentHelp("Where its admin socket is.", valueName: "dir"))
    var runDirectory = "/run/meshnode"

    @OptionGroup(title: "Certificate authority") var authority: AuthorityOptions
    @OptionGroup(title: "Certificates") var lifetime: LifetimeOptions
    @OptionGroup(title: "Log") var log: LogOptions

    func run(on console: Console) throws -> Int32 { console.processes.controller(makeSettings()) }

    /// The settings that these options ask for.
    func makeSettings() -> ControllerSettings {
        let roots = rootNamespace.isEmpty ? ["meshnode-system", "istio-system"] : rootNamespace
        return ControllerSettings(
            source: .init(
                manifestDirectory: config, authority: authority.location, listenAddress: listen,
                certificateLifetimeSeconds: lifetime.inSeconds),
            trustDomain: trustDomain, rootNamespaces: roots, runDirectory: runDirectory, logFormat: log.logFormat,
            logLevel: log.logLevel)
    }

    func validate() throws {
        guard !config.isEmpty else { throw ValidationError("--config needs a directory.") }
        guard !runDirectory.isEmpty else { throw ValidationError("--run-directory needs a directory.") }
        try ListenAddress.validate(listen)
        try TrustDomainOption.validate(trustDomain)
    }
}
