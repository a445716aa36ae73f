/// The controller as the agent knows it.
package struct ControllerStatus: Codable, Sendable, Equatable {
    /// Whether its stream is there.
    package enum State: String, Codable, Sendable, Equatable {
        case connected = "OK"
        case connecting = "CONNECTING"
        case lost = "LOST"
        case unknown = "?"
    }

    /// Whether its stream is there.
    package var state: State
    /// `embedded`, or the address of a controller outside.
    package var source: String
    /// Where its manifests come from: the directory.
    package var manifests: String
    /// Version of the last snapshot that the agent applied.
    package var snapshotVersion: UInt64?
    /// Age of that snapshot's last change, in seconds.
    package var snapshotAgeSeconds: Int64?
    /// Objects in the snapshot.
    package var workloads: Int?
    /// Services in the snapshot.
    package var services: Int?
    /// Authorization policies in the snapshot.
    package var policies: Int?

    package init(
        state: State = .unknown, source: String = "embedded", manifests: String = "", snapshotVersion: UInt64? = nil,
        snapshotAgeSeconds: Int64? = nil, workloads: Int? = nil, services: Int? = nil, policies: Int? = nil
    ) {
        self.state = state
        self.source = source
        self.manifests = manifests
        self.snapshotVersion = snapshotVersion
        self.snapshotAgeSeconds = snapshotAgeSeconds
        self.workloads = workloads
        self.services = services
        self.policies = policies
    }
}

/// The certificate authority as the agent knows it.
package struct AuthorityStatus: Codable, Sendable, Equatable {
    /// Whether it signs.
    package enum State: String, Codable, Sendable, Equatable {
        case ok = "OK"
        case failing = "FAILING"
        case unknown = "?"
    }

    /// Whether it signs: the outcome of the last request.
    package var state: State
    /// When the first root of the bundle expires.
    package var rootExpires: Timestamp?
    /// When the issuing certificate expires.
    package var issuerExpires: Timestamp?
    /// Roots in the trust bundle.
    package var roots: Int?
    /// Workload certificates that this node needs.
    package var certificates: Int?
    /// Of those, the ones that it holds and that are valid.
    package var validCertificates: Int?
    /// Why it fails; empty if it does not.
    package var reason: String

    package init(
        state: State = .unknown, rootExpires: Timestamp? = nil, issuerExpires: Timestamp? = nil, roots: Int? = nil,
        certificates: Int? = nil, validCertificates: Int? = nil, reason: String = ""
    ) {
        self.state = state
        self.rootExpires = rootExpires
        self.issuerExpires = issuerExpires
        self.roots = roots
        self.certificates = certificates
        self.validCertificates = validCertificates
        self.reason = reason
    }
}

/// One process as the kernel sees it.
package struct ProcessStatus: Codable, Sendable, Equatable {
    /// Its process id; nil while it does not run.
    package var pid: Int32?
    /// Resident memory in bytes.
    package var residentBytes: Int64?
    /// When it was started.
    package var started: Timestamp?
    /// How often it was started again since the keeper is up.
    package var restarts: Int?

    package init(pid: Int32? = nil, residentBytes: Int64? = nil, started: Timestamp? = nil, restarts: Int? = nil) {
        self.pid = pid
        self.residentBytes = residentBytes
        self.started = started
        self.restarts = restarts
    }
}

/// Keeper and worker of one node.
package struct AgentStatus: Codable, Sendable, Equatable {
    /// How the agent's own connections are told from those of the pods.
    package enum ExemptionMode: String, Codable, Sendable, Equatable {
        /// By the agent's cgroup, which a pod cannot forge.
        case cgroup
        /// By packet mark, which a pod with NET_RAW can set.
        case mark
        case unknown = "?"
    }

    /// Whether the readiness port answers 200.
    package var isReady: Bool
    /// Why it is not ready; empty if it is.
    package var notReadyReason: String
    /// The privileged process.
    package var keeper: ProcessStatus
    /// The data plane.
    package var worker: ProcessStatus
    /// The embedded controller; without a pid if there is none.
    package var controller: ProcessStatus
    /// Event loops of the worker.
    package var loops: Int?
    /// Version of the configuration in force.
    package var configurationVersion: UInt64?
    /// How the agent's own connections are told from those of the pods.
    package var exemptionMode: ExemptionMode
    /// How often drift in the rules of a pod was repaired.
    package var captureRepairs: Int?

    package init(
        isReady: Bool = false, notReadyReason: String = "", keeper: ProcessStatus = ProcessStatus(),
        worker: ProcessStatus = ProcessStatus(), controller: ProcessStatus = ProcessStatus(), loops: Int? = nil,
        configurationVersion: UInt64? = nil, exemptionMode: ExemptionMode = .unknown, captureRepairs: Int? = nil
    ) {
        self.isReady = isReady
        self.notReadyReason = notReadyReason
        self.keeper = keeper
        self.worker = worker
        self.controller = controller
        self.loops = loops
        self.configurationVersion = configurationVersion
        self.exemptionMode = exemptionMode
        self.captureRepairs = captureRepairs
    }
}
