internal import Addressing
internal import Agent
internal import ArgumentParser
internal import CertificateAuthority
internal import Mesh

/// Where configuration and certificates come from.
struct ControllerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Embed the controller: directory of Kubernetes manifests, read and watched.", valueName: "dir"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Where agents of other nodes find the embedded controller, such as 10.0.0.1:15012.",
            valueName: "address:port"))
    var listen: String?

    @Option(help: ArgumentHelp("Use the controller that is there.", valueName: "host:port"))
    var controller: String?

    @Option(
        help: ArgumentHelp(
            "File with the token by which this node joins; needed until it has its certificate.", valueName: "file"))
    var joinToken: String?

    @Option(help: ArgumentHelp("Where the node's key and certificate are kept.", valueName: "dir"))
    var stateDirectory = "/var/lib/meshnode/node"

    func validate() throws {
        guard (config == nil) != (controller == nil) else {
            throw ValidationError("Give one of --config (embed the controller) and --controller (use one elsewhere).")
        }
        guard config != "" else { throw ValidationError("--config needs a directory.") }
        if let controller, !HostAndPort.isValid(controller) {
            throw ValidationError("--controller needs HOST:PORT, such as 10.0.0.1:15012, not '\(controller)'.")
        }
        if config != nil, joinToken != nil {
            throw ValidationError("--join-token is for --controller: an embedded controller joins nothing.")
        }
        if let listen {
            guard config != nil else {
                throw ValidationError("--listen is for the embedded controller: give --config.")
            }
            try ListenAddress.validate(listen)
        }
        guard !stateDirectory.isEmpty else { throw ValidationError("--state-directory needs a directory.") }
    }

    func makeController(
        _ authority: AuthorityOptions, _ lifetime: LifetimeOptions
    ) -> AgentConfiguration.Controller {
        if let controller {
            return .remote(.init(address: controller, joinTokenFile: joinToken, stateDirectory: stateDirectory))
        }
        // `validate` has seen to it that there is one of the two.
        return .embedded(
            .init(
                manifestDirectory: config ?? "", authority: authority.location, listenAddress: listen,
                certificateLifetimeSeconds: lifetime.inSeconds))
    }
}

/// `HOST:PORT`, as a person writes it.
enum HostAndPort {
    static func isValid(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return false }
        let host = text[..<colon]
        return !host.isEmpty && (!host.contains(":") || (host.first == "[" && host.last == "]"))
    }
}

/// An address of this machine and a port.
enum ListenAddress {
    static func validate(_ text: String) throws {
        guard SocketAddress(text) != nil else {
            throw ValidationError("--listen needs ADDRESS:PORT, such as 10.0.0.1:15012 or [::]:15012, not '\(text)'.")
        }
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

    /// Where the authority is.
    var location: AuthorityLocation {
        guard let caCert, let caKey, let caRoot else { return .init(directory: caDirectory) }
        return .init(
            directory: caDirectory, files: .init(certificate: caCert, key: caKey, chain: caChain, root: caRoot))
    }

    /// The authority, to be administered.
    func open(_ trustDomain: TrustDomain, now: Int64) throws(AuthorityError) -> RunningAuthority {
        try RunningAuthority(.init(location), trustDomain: trustDomain, now: now)
    }
}

/// How long certificates are valid.
struct LifetimeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How long workloads' certificates are valid, from 6s through 24h.", valueName: "time"))
    var certificateLifetime = Seconds(86_400)

    var inSeconds: Int64 { Int64(certificateLifetime.seconds) }

    func validate() throws {
        guard (6...86_400).contains(certificateLifetime.seconds) else {
            throw ValidationError("--certificate-lifetime is from 6s through 24h.")
        }
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

    @Option(
        help: ArgumentHelp(
            "Event loops of the worker, from 1 through \(AgentConfiguration.mostLoops) (default: one per core that it may "
                + "use). Each is a thread.", valueName: "n"))
    var loops: Int?

    @Option(
        help: ArgumentHelp("How long open connections may run on at the end, such as 30s or 5m.", valueName: "time"))
    var drainDeadline = Seconds(30)

    @Flag(help: "Withdraw capture at the end: traffic then goes on in plaintext, instead of being refused.")
    var withdrawOnExit = false

    @Flag(help: "Take over from the agent that runs on this node, without refusing a connection: an upgrade.")
    var takeOver = false

    /// What was asked for, or both names that people have.
    var rootNamespaces: [String] { rootNamespace.isEmpty ? ["meshnode-system", "istio-system"] : rootNamespace }

    func validate() throws {
        try TrustDomainOption.validate(trustDomain)
        let most = AgentConfiguration.mostLoops
        if let loops, !(1...most).contains(loops) { throw ValidationError("--loops is from 1 through \(most).") }
        guard !runDirectory.isEmpty else { throw ValidationError("--run-directory needs a directory.") }
        guard node != "" else { throw ValidationError("--node needs a name.") }
    }
}

/// A trust domain on the command line.
enum TrustDomainOption {
    static func validate(_ text: String) throws {
        guard TrustDomain(text) != nil else {
            throw ValidationError("'\(text)' is not a trust domain: lower-case letters, digits, '.', '-', '_'.")
        }
    }
}

/// How a process logs.
struct LogOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Form of the logs: text or json.", valueName: "form"))
    var logFormat = AgentConfiguration.LogFormat.text

    @Option(help: ArgumentHelp("Least important level that is logged.", valueName: "level"))
    var logLevel = AgentConfiguration.LogLevel.info
}

/// Where the agent can be watched.
struct PortOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Port of /metrics.", valueName: "port"))
    var metricsPort = MeshPorts.metrics

    @Option(help: ArgumentHelp("Port of /healthz/ready.", valueName: "port"))
    var readinessPort = MeshPorts.readiness
}

extension AgentConfiguration.LogFormat: ExpressibleByArgument {}
extension AgentConfiguration.LogLevel: ExpressibleByArgument {}
