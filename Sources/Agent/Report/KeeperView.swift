/// What the keeper tells while its worker is down: whoever can open its socket reads it.
package struct KeeperView: Sendable, Equatable {
    /// Name of the node; nil if the keeper does not say.
    package var node: String?
    /// The keeper's process.
    package var pid: Int32
    /// Resident memory of the keeper, in bytes.
    package var residentBytes: UInt64
    /// How its worker is, in a word or two.
    package var worker: String
    /// Whether the worker serves.
    package var isWorkerReady: Bool
    /// Why the worker ended last; empty if it never did.
    package var lastEnd: String
    /// Seconds until it is started again; nil if that is not waited for.
    package var restartsInSeconds: Int?
    /// How often the worker was started again.
    package var workerRestarts: Int
    /// How the controller is, in a word or two.
    package var controller: String
    /// A hand-over that is under way, in words; empty if none is.
    package var handOver: String
    /// Whether the agent is told from pods by its cgroup (or by a mark that a pod can set).
    package var isExemptByCgroup: Bool
    /// Pods that the keeper is to capture, and whether it does.
    package var pods: PodsStatus

    package init(pid: Int32, residentBytes: UInt64, worker: String, isWorkerReady: Bool, workerRestarts: Int) {
        self.pid = pid
        self.residentBytes = residentBytes
        self.worker = worker
        self.isWorkerReady = isWorkerReady
        self.workerRestarts = workerRestarts
        lastEnd = ""
        controller = "?"
        handOver = ""
        isExemptByCgroup = true
        pods = PodsStatus()
    }

    /// The state of the worker in a sentence.
    package var workerText: String {
        var text = "the worker is \(worker)"
        if let restartsInSeconds { text += ", the keeper starts it again in \(restartsInSeconds)s" }
        if workerRestarts > 0 { text += ", started again \(workerRestarts) times so far" }
        if !lastEnd.isEmpty { text += lastEnd.hasPrefix("it ") ? "; \(lastEnd)" : "; it ended: \(lastEnd)" }
        return text
    }
}

extension MeshStatusReport {
    /// The mesh as it is known without this node's worker: the controller's view, and in place of what it has of this
    /// node, what the keeper says.
    ///
    /// - Parameters:
    ///   - keeper: nil if it does not answer either.
    ///   - controller: what the controller on this node answers; nil if there is none or it is silent.
    package init(keeper: KeeperView?, node name: String, controller: MeshStatusReport?, time: Timestamp) {
        let outlook = MeshOutlook(
            time: time, answeredBy: name, trustDomain: "", accounts: [], controller: nil,
            controllerFailure: "the worker is down, and no controller on this node answers")
        self = controller ?? MeshStatusReport(outlook)
        self.time = time
        answeredBy = name
        if controller != nil { problems.removeAll { $0.object == name && $0.code == .nodeLost } }
        // That the controller is not heard of follows from the worker being down; the note says so.
        if controller == nil { problems.removeAll { $0.code == .controllerUnreachable } }
        guard let keeper else {
            note = "No worker and no keeper answer on this node; this is what its controller knows."
            return
        }
        let node = Self.node(name, keeper)
        nodes = (nodes.filter { $0.name != name } + [node]).sorted { $0.name < $1.name }
        note = "The worker of \(name) does not answer; its line is what the keeper knows."
        let own = Self.problems(of: keeper, node: name)
        problems = own + problems
        problems = problems.filter { $0.severity == .error } + problems.filter { $0.severity == .warning }
        verdict = .degraded
    }

    private static func node(_ name: String, _ keeper: KeeperView) -> Node {
        var node = Node(name: name, state: keeper.isWorkerReady ? .unknown : .restarting)
        node.reason = keeper.workerText
        node.version = MeshnodeVersion.current
        node.enrolledPods = keeper.pods.enrolled
        node.capturedPods = keeper.pods.captured
        node.restarts = keeper.workerRestarts
        node.missingPods = keeper.pods.failed + keeper.pods.pending
        return node
    }

    private static func problems(of keeper: KeeperView, node: String) -> [Problem] {
        var problems = [
            Problem(
                code: .workerRestarting, severity: .error, object: node, cause: keeper.workerText,
                effect: "new connections of its pods wait for the next worker; none travels in plaintext",
                tryCommand: "look at the agent's log on \(node)")
        ]
        if !keeper.handOver.isEmpty {
            problems.append(
                Problem(
                    code: .handOverUnderWay, severity: .warning, object: node, cause: keeper.handOver,
                    effect: "nothing about pods changes until it is over", tryCommand: "meshnode status -w"))
        }
        return problems
    }
}
