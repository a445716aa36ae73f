/// What is known of all nodes, from whoever could be asked. A pure function makes a report of it.
package struct MeshOutlook: Sendable, Equatable {
    /// An agent that is silent for so long is lost, in milliseconds.
    package static let lostAfterMilliseconds: UInt64 = 15_000
    /// Clocks that differ by more, in seconds, are told: reports travel for a while, so less says nothing.
    static let clockTolerance: Int64 = 10
    /// A snapshot has to be this old, in seconds, before a node that has not got it is behind.
    static let configurationGrace: Int64 = 10

    /// When it is asked, by the clock of the one who is.
    package var time: Timestamp
    /// The node that is asked, or `controller`.
    package var answeredBy: String
    /// Used where the controller is not heard of.
    package var trustDomain: String
    /// The nodes' last reports; one account per node.
    package var accounts: [NodeAccount]
    /// What the controller says; nil if it does not answer.
    package var controller: ControllerFacts?
    /// Why it does not; empty if it does.
    package var controllerFailure: String
    /// Nodes that are known by name only, such as from the snapshot.
    package var knownNodes: [ControllerFacts.ExpectedNode]

    package init(
        time: Timestamp, answeredBy: String, trustDomain: String, accounts: [NodeAccount],
        controller: ControllerFacts?, controllerFailure: String = "",
        knownNodes: [ControllerFacts.ExpectedNode] = []
    ) {
        self.time = time
        self.answeredBy = answeredBy
        self.trustDomain = trustDomain
        self.accounts = accounts
        self.controller = controller
        self.controllerFailure = controllerFailure
        self.knownNodes = knownNodes
    }

    /// Every node that reported or should have, by name.
    var nodes: [MeshStatusReport.Node] {
        var nodes = accounts.map(node)
        let reported = Set(nodes.map(\.name))
        var named: Set<String> = []
        for expected in (controller?.expectedNodes ?? []) + knownNodes
        where !reported.contains(expected.node) && named.insert(expected.node).inserted {
            var node = MeshStatusReport.Node(name: expected.node, state: controller == nil ? .unknown : .lost)
            node.reason = controller == nil ? "only the controller knows" : "never reported"
            node.enrolledPods = expected.enrolledPods
            nodes.append(node)
        }
        return nodes.sorted { $0.name < $1.name }
    }

    private func node(_ account: NodeAccount) -> MeshStatusReport.Node {
        let seconds = Int64(clamping: account.ageInMilliseconds / 1_000)
        var node = MeshStatusReport.Node(name: account.node, state: .unknown)
        node.silentSeconds = seconds
        guard let status = account.status else {
            node.state = isLost(account) ? .lost : .unknown
            node.reason = "its report cannot be read"
            return node
        }
        // What changes slowly stays worth showing when the agent is silent; the rest would be a guess.
        node.version = status.version
        node.enrolledPods = status.pods.enrolled
        node.capturedPods = status.pods.captured
        node.configurationVersion = status.configurationVersion
        node.restarts = status.workerRestarts
        node.missingPods = missing(status.pods)
        node.refusals = status.refusals
        guard !isLost(account) else {
            node.state = .lost
            node.reason = "no heartbeat for \(seconds)s"
            return node
        }
        node.connections = status.traffic.open
        node.traffic = status.traffic
        node.certificates = status.certificates
        node.validCertificates = status.validCertificates
        node.residentBytes = status.residentBytes
        node.state = !account.isConnected ? .unknown : status.isReady ? .ready : .notReady
        node.reason =
            !account.isConnected
            ? "its stream to the controller ended \(seconds)s ago or less" : status.notReadyReason
        return node
    }

    func isLost(_ account: NodeAccount) -> Bool { account.ageInMilliseconds >= Self.lostAfterMilliseconds }

    private func missing(_ pods: PodsStatus) -> [PodsStatus.Missing] {
        pods.failed.map { PodsStatus.Missing(pod: $0.pod, reason: "failed: \($0.reason)") }
            + pods.pending.map { PodsStatus.Missing(pod: $0.pod, reason: "pending: \($0.reason)") }
    }
}
