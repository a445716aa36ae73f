internal import Keeper
internal import Mesh

extension KeeperView {
    /// What the keeper told.
    init(_ facts: KeeperFacts, pods: [PodReport]) {
        self.init(
            pid: Int32(clamping: facts.keeperPID), residentBytes: facts.keeperResidentBytes,
            worker: Self.word(facts.worker), isWorkerReady: facts.worker.condition == .ready,
            workerRestarts: Int(facts.workerRestarts))
        lastEnd = facts.worker.lastEnd
        if facts.worker.condition == .restarting { restartsInSeconds = Int(facts.worker.restartsIn / 1_000) }
        controller = Self.word(facts.controller)
        handOver = facts.handover.words
        isExemptByCgroup = facts.exemption == .cgroup
        self.pods = PodsStatus(
            enrolled: pods.count, captured: pods.count { $0.state == .captured }, pending: Self.missing(pods, .pending),
            failed: Self.missing(pods, .failed), connectionsBeforeEnrolment: Int(facts.earlierConnections))
    }

    private static func missing(_ pods: [PodReport], _ state: PodState) -> [PodsStatus.Missing] {
        pods.filter { $0.state == state }.map { PodsStatus.Missing(pod: $0.uid.podName, reason: $0.detail) }
            .sorted { $0.pod < $1.pod }
    }

    private static func word(_ child: ChildFacts) -> String {
        switch child.condition {
        case .none: "not started"
        case .running: "running, not ready"
        case .ready: "ready"
        case .restarting: "waiting to be started again"
        case .ending: "ending"
        }
    }
}

extension HandoverFacts {
    /// A sentence; empty if there is nothing to say.
    var words: String {
        switch self {
        case .none: ""
        case .takingOver: "this agent takes over from the one before it"
        case .predecessorDrains: "the worker of the agent before this one finishes what runs"
        case .handingOver: "this agent hands over to another that is starting"
        case .yielded: "another agent is in charge; this one finishes what runs"
        }
    }
}

extension WorkloadUID {
    /// `namespace/name` of a pod's uid (`cluster/group/kind/namespace/name`); else all of it.
    fileprivate var podName: String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count >= 5 ? "\(parts[3])/\(parts[4])" : text
    }
}
