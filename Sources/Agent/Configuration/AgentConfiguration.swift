internal import Keeper

/// What `meshnode agent` was asked to do: the command line, parsed once. The agent passes each part only the few
/// fields that it needs.
package struct AgentConfiguration: Codable, Sendable, Equatable {
    /// Where the configuration and the certificates come from.
    package var controller: Controller
    /// Name of this node: the `spec.nodeName` of its pods.
    package var node: String
    /// The mesh's own trust domain.
    package var trustDomain: String
    /// Namespaces whose policies hold for the whole mesh; converted policies are named in the first.
    package var rootNamespaces: [String]
    /// Where the agent's sockets and its lock are.
    package var runDirectory: String
    /// Event loops of the worker, from 1 through `mostLoops`; nil for one per core that it may use.
    package var loops: Int?
    /// Form of the log on standard error and of the access log on standard output.
    package var logFormat: LogFormat
    /// The least important level that is logged.
    package var logLevel: LogLevel
    /// TCP port of `/metrics`.
    package var metricsPort: UInt16
    /// TCP port of `/healthz/ready`.
    package var readinessPort: UInt16
    /// How long open connections may run on when the agent is asked to end, in seconds.
    package var drainDeadlineSeconds: Int
    /// Whether capture is withdrawn when the agent ends. If not, new connections of enrolled pods are refused until an
    /// agent is back, and never travel in plaintext.
    package var withdrawsOnExit: Bool
    /// Whether it takes over from an agent that runs on this node. If not, it refuses to start beside one.
    package var takesOver: Bool

    package init(
        controller: Controller, node: String,
        trustDomain: String = "cluster.local", rootNamespaces: [String] = ["meshnode-system", "istio-system"],
        runDirectory: String = "/run/meshnode", loops: Int? = nil, logFormat: LogFormat = .text,
        logLevel: LogLevel = .info, metricsPort: UInt16 = 15020, readinessPort: UInt16 = 15021,
        drainDeadlineSeconds: Int = 30, withdrawsOnExit: Bool = false, takesOver: Bool = false
    ) {
        self.controller = controller
        self.node = node
        self.trustDomain = trustDomain
        self.rootNamespaces = rootNamespaces
        self.runDirectory = runDirectory
        self.loops = loops
        self.logFormat = logFormat
        self.logLevel = logLevel
        self.metricsPort = metricsPort
        self.readinessPort = readinessPort
        self.drainDeadlineSeconds = drainDeadlineSeconds
        self.withdrawsOnExit = withdrawsOnExit
        self.takesOver = takesOver
    }

    /// Where the mesh's state comes from, for people: the directory of manifests, or the controller's address.
    package var controllerPlace: String {
        switch controller {
        case .embedded(let source): source.manifestDirectory
        case .remote(let remote): remote.address
        }
    }

    /// The controller is not a child of this agent.
    package var isControllerElsewhere: Bool {
        switch controller {
        case .embedded: false
        case .remote: true
        }
    }

    /// The most event loops that a worker can have.
    package static let mostLoops = InheritedDescriptor.maxLoops

    /// Path of the socket that the commands ask.
    package var socketPath: String { "\(runDirectory)/agent.sock" }
}

extension AgentConfiguration {
    /// Where the configuration and the certificates come from.
    package enum Controller: Codable, Sendable, Equatable {
        /// This agent embeds the mesh's controller.
        case embedded(EmbeddedController)
        /// The mesh's controller is elsewhere.
        case remote(RemoteController)
    }

    /// A controller that is a child of this agent.
    package struct EmbeddedController: Codable, Sendable, Equatable {
        /// The directory of Kubernetes manifests that is read and watched.
        package var manifestDirectory: String
        /// Who signs the mesh's certificates.
        package var authority: AuthorityLocation
        /// Where agents of other nodes find it, `ADDRESS:PORT`; nil: it serves this node only.
        package var listenAddress: String?
        /// How long workloads' certificates are valid, in seconds.
        package var certificateLifetimeSeconds: Int64
        /// How long nodes' certificates are valid, in seconds; 0 for what the authority thinks right.
        package var nodeCertificateLifetimeSeconds: Int64

        package init(
            manifestDirectory: String, authority: AuthorityLocation = AuthorityLocation(), listenAddress: String? = nil,
            certificateLifetimeSeconds: Int64 = 86_400, nodeCertificateLifetimeSeconds: Int64 = 0
        ) {
            self.manifestDirectory = manifestDirectory
            self.authority = authority
            self.listenAddress = listenAddress
            self.certificateLifetimeSeconds = certificateLifetimeSeconds
            self.nodeCertificateLifetimeSeconds = nodeCertificateLifetimeSeconds
        }
    }

    /// A controller that other agents share.
    package struct RemoteController: Codable, Sendable, Equatable {
        /// `HOST:PORT`.
        package var address: String
        /// File with the token by which this node joins; needed once, until it has a certificate.
        package var joinTokenFile: String?
        /// Where the node's key and certificate are kept; made on first start with mode 0700.
        package var stateDirectory: String

        package init(address: String, joinTokenFile: String? = nil, stateDirectory: String = "/var/lib/meshnode/node") {
            self.address = address
            self.joinTokenFile = joinTokenFile
            self.stateDirectory = stateDirectory
        }
    }

    /// Form of log lines.
    package enum LogFormat: String, Codable, Sendable, CaseIterable {
        case text
        case json
    }

    /// Levels of the log, the least important first (as in swift-log).
    package enum LogLevel: String, Codable, Sendable, CaseIterable {
        case trace
        case debug
        case info
        case notice
        case warning
        case error
    }
}
