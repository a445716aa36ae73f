internal import Agent
internal import ArgumentParser
internal import Mesh

/// `meshnode agent`: this node's part of the mesh.
struct AgentCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run this node's agent: capture enrolled pods and carry their traffic.",
        discussion: """
            Needs root, or NET_ADMIN, SYS_ADMIN, NET_RAW, SYS_PTRACE, SETUID, SETGID,
            SETPCAP and KILL. Runs in the foreground until SIGTERM or SIGINT. Pods with
            the label meshnode.dev/mesh: enabled on themselves or on their namespace are
            enrolled.
            """
    )

    @Option(help: ArgumentHelp("Directory of Kubernetes manifests, read and watched.", valueName: "dir"))
    var config: String

    @OptionGroup(title: "Certificate authority") var authority: AuthorityOptions
    @OptionGroup(title: "Node") var node: NodeOptions
    @OptionGroup(title: "Log and ports") var watching: WatchingOptions

    func run(on console: Console) throws -> Int32 {
        console.processes.agent(try makeConfiguration(hostName: console.hostName()))
    }

    /// The configuration that these options ask for.
    func makeConfiguration(hostName: String) throws -> AgentConfiguration {
        let name = node.node ?? hostName
        guard !name.isEmpty else {
            throw CommandError(.usage, "this machine has no host name: name the node with --node")
        }
        return AgentConfiguration(
            manifestDirectory: config, authority: authority.makeAuthority(), node: name,
            trustDomain: node.trustDomain, rootNamespaces: node.rootNamespaces, runDirectory: node.runDirectory,
            loops: node.loops, logFormat: watching.logFormat, logLevel: watching.logLevel,
            metricsPort: watching.metricsPort, readinessPort: watching.readinessPort,
            drainDeadlineSeconds: node.drainDeadline.seconds, withdrawsOnExit: node.withdrawOnExit)
    }

    func validate() throws {
        guard !config.isEmpty else { throw ValidationError("--config needs a directory.") }
    }
}

/// Whose certificates the mesh trusts.
struct AuthorityOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where the mesh's own CA is kept; made on first start.", valueName: "dir"))
    var caDirectory = "/var/lib/meshnode/ca"

    @Option(help: ArgumentHelp("Bring your own CA: the issuing certificate (PEM).", valueName: "file"))
    var caCert: String?

    @Option(help: ArgumentHelp("Bring your own CA: its private key (PEM).", valueName: "file"))
    var caKey: String?

    @Option(help: ArgumentHelp("Bring your own CA: certificates between it and the root (PEM).", valueName: "file"))
    var caChain: String?

    @Option(help: ArgumentHelp("Bring your own CA: the roots that peers are checked against (PEM).", valueName: "file"))
    var caRoot: String?

    func validate() throws {
        let brought = [caCert, caKey, caRoot].filter { $0 != nil }.count
        guard brought == 3 || (brought == 0 && caChain == nil) else {
            throw ValidationError("Your own CA needs all of --ca-cert, --ca-key and --ca-root.")
        }
    }

    func makeAuthority() -> AgentConfiguration.Authority {
        guard let caCert, let caKey, let caRoot else { return .init(directory: caDirectory) }
        return .init(
            directory: caDirectory, files: .init(certificate: caCert, key: caKey, chain: caChain, root: caRoot))
    }
}

/// Which node this is, and how the agent runs on it.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Name of this node, as pods have it in spec.nodeName (default: host name).", valueName: "name"))
    var node: String?

    @Option(help: ArgumentHelp("Trust domain of the mesh.", valueName: "name"))
    var trustDomain = "cluster.local"

    @Option(
        name: .customLong("root-namespace"),
        help: ArgumentHelp(
            "Namespace whose policies hold for the whole mesh; may be repeated (default: meshnode-system, istio-system).",
            valueName: "name"))
    var rootNamespace: [String] = []

    @Option(help: ArgumentHelp("Where the agent's sockets are.", valueName: "dir"))
    var runDirectory = "/run/meshnode"

    @Option(help: ArgumentHelp("Event loops of the worker (default: one per core that it may use).", valueName: "n"))
    var loops: Int?

    @Option(
        help: ArgumentHelp("How long open connections may run on at the end, such as 30s or 5m.", valueName: "time"))
    var drainDeadline = Seconds(30)

    @Flag(help: "Withdraw capture at the end: traffic then goes on in plaintext, instead of being refused.")
    var withdrawOnExit = false

    /// What was asked for, or both names that people have.
    var rootNamespaces: [String] { rootNamespace.isEmpty ? ["meshnode-system", "istio-system"] : rootNamespace }

    func validate() throws {
        guard TrustDomain(trustDomain) != nil else {
            throw ValidationError("'\(trustDomain)' is not a trust domain: lower-case letters, digits, '.', '-', '_'.")
        }
        if let loops, !(1...256).contains(loops) { throw ValidationError("--loops is from 1 through 256.") }
        guard !runDirectory.isEmpty else { throw ValidationError("--run-directory needs a directory.") }
        guard node != "" else { throw ValidationError("--node needs a name.") }
    }
}

/// How the agent can be watched.
struct WatchingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Form of the logs: text or json.", valueName: "form"))
    var logFormat = AgentConfiguration.LogFormat.text

    @Option(help: ArgumentHelp("Least important level that is logged.", valueName: "level"))
    var logLevel = AgentConfiguration.LogLevel.info

    @Option(help: ArgumentHelp("Port of /metrics.", valueName: "port"))
    var metricsPort = MeshPorts.metrics

    @Option(help: ArgumentHelp("Port of /healthz/ready.", valueName: "port"))
    var readinessPort = MeshPorts.readiness
}

extension AgentConfiguration.LogFormat: ExpressibleByArgument {}
extension AgentConfiguration.LogLevel: ExpressibleByArgument {}
