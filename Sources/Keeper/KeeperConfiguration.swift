package import Addressing
internal import CNI
package import Kernel

/// How loud a line of the keeper's log is.
package enum KeeperLogLevel: Hashable, Sendable {
    case debug
    case info
    case warning
    case error
}

/// All that the keeper needs to know.
package struct KeeperConfiguration: Sendable {
    /// The program of the children; this one.
    package var executable = "/proc/self/exe"
    /// Arguments of the worker, the program's name first.
    package var workerArguments: [String]
    /// Arguments of the controller, the program's name first; nil: none is started, and the worker's stream to it is
    /// an end whose other side is closed.
    package var controllerArguments: [String]?
    /// Holds the lock and the sockets; made with mode 0755.
    package var runDirectory = "/run/meshnode"
    /// Path of the admin socket, mode 0600; nil: `agent.sock` in the run directory.
    package var adminSocketPath: String?
    /// The user that the worker becomes.
    package var workerIdentity = UserIdentity(uid: 65532, gid: 65532)
    /// The user that the controller becomes; it reads the manifests and the CA directory.
    package var controllerIdentity = UserIdentity(uid: 0, gid: 0)
    /// Event loops of the worker; 1 through `InheritedDescriptor.maxLoops`.
    package var loopCount = 1
    /// TCP port of the metrics listener; 0 lets the kernel choose.
    package var metricsPort: UInt16
    /// TCP port of the readiness listener; 0 lets the kernel choose.
    package var readinessPort: UInt16
    /// Where the controller listens for other nodes; nil: it serves this node only.
    package var controllerListenAddress: SocketAddress?
    /// Whether an agent that runs already is succeeded; otherwise it is an error that one runs.
    package var takesOver = true
    /// A worker that has given no sign of life for so many seconds is ended and started again.
    package var heartbeatLimitSeconds = 10
    /// How long the worker may finish what runs when the agent is told to end, and a pod's captured connections when it
    /// is no longer wanted.
    package var drainDeadline = Duration.seconds(30)
    /// Whether capture is taken back when the agent ends. Otherwise the rules stay, and new connections of enrolled
    /// pods are refused until the next agent runs.
    package var withdrawsOnExit = false
    /// Namespaces whose pods start without being looked at: those of the cluster's own parts and of the mesh's, which
    /// must start where the mesh does not run yet.
    package var excludedNamespaces: Set<String> = PluginConfiguration.usualExcludedNamespaces
    /// Where namespaces are bound to names.
    package var namespaceDirectories: [String] = NamespaceCandidates.defaultDirectories
    /// Where lines of the log go.
    package var log: @Sendable (KeeperLogLevel, String) -> Void

    package init(
        workerArguments: [String], controllerArguments: [String]?, metricsPort: UInt16, readinessPort: UInt16,
        log: @escaping @Sendable (KeeperLogLevel, String) -> Void
    ) {
        self.workerArguments = workerArguments
        self.controllerArguments = controllerArguments
        self.metricsPort = metricsPort
        self.readinessPort = readinessPort
        self.log = log
    }

    var lockPath: String { "\(runDirectory)/agent.lock" }
    var adminPath: String { adminSocketPath ?? "\(runDirectory)/agent.sock" }
    var controllerPath: String { "\(runDirectory)/controller.sock" }
    var controllerAdminPath: String { "\(runDirectory)/controller-admin.sock" }
    var factsPath: String { "\(runDirectory)/keeper.sock" }
    var handoverPath: String { "\(runDirectory)/handover.sock" }
    var cniPath: String { "\(runDirectory)/cni.sock" }
}
