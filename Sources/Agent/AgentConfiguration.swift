/// What `meshnode agent` was asked to do: the command line, parsed once. The agent passes each part only the few
/// fields that it needs.
package struct AgentConfiguration: Codable, Sendable, Equatable {
    /// The directory of Kubernetes manifests that is read and watched.
    package var manifestDirectory: String
    /// Where the certificate authority keeps its keys; made on first start with mode 0700.
    package var authority: Authority
    /// Name of this node: the `spec.nodeName` of its pods.
    package var node: String
    /// The mesh's own trust domain.
    package var trustDomain: String
    /// Namespaces whose policies hold for the whole mesh; converted policies are named in the first.
    package var rootNamespaces: [String]
    /// Where the agent's sockets and its lock are.
    package var runDirectory: String
    /// Event loops of the worker; nil for one per core that it may use.
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

    package init(
        manifestDirectory: String, authority: Authority = Authority(), node: String,
        trustDomain: String = "cluster.local", rootNamespaces: [String] = ["meshnode-system", "istio-system"],
        runDirectory: String = "/run/meshnode", loops: Int? = nil, logFormat: LogFormat = .text,
        logLevel: LogLevel = .info, metricsPort: UInt16 = 15020, readinessPort: UInt16 = 15021,
        drainDeadlineSeconds: Int = 30, withdrawsOnExit: Bool = false
    ) {
        self.manifestDirectory = manifestDirectory
        self.authority = authority
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
    }

    /// Path of the socket that the commands ask.
    package var socketPath: String { "\(runDirectory)/agent.sock" }
}

extension AgentConfiguration {
    /// Whose certificates the mesh trusts, and who signs them.
    package struct Authority: Codable, Sendable, Equatable {
        /// Files of an authority that the operator brings, all in PEM.
        package struct Files: Codable, Sendable, Equatable {
            /// The issuing certificate.
            package var certificate: String
            /// Its private key.
            package var key: String
            /// The certificates between it and the root; nil if the root signed it.
            package var chain: String?
            /// The root certificates that peers are checked against.
            package var root: String

            package init(certificate: String, key: String, chain: String? = nil, root: String) {
                self.certificate = certificate
                self.key = key
                self.chain = chain
                self.root = root
            }
        }

        /// Where an own authority is kept; made on first start.
        package var directory: String
        /// The operator's own authority; nil for the one in `directory`.
        package var files: Files?

        package init(directory: String = "/var/lib/meshnode/ca", files: Files? = nil) {
            self.directory = directory
            self.files = files
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
