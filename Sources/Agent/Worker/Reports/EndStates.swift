internal import Identity
internal import Keeper
internal import Mesh

/// What is known of the state of a pod and of the agent that serves it: on this node at first hand, elsewhere as the
/// node last reported it.
struct EndStates {
    /// The node that answers.
    var node: String
    /// Whether this node's agent serves.
    var isReady: Bool
    /// Pods of this node as the keeper tells of them.
    var pods: [WorkloadUID: PodReport] = [:]
    /// Certificates of this node.
    var certificates: [SPIFFEID: CertificateStatus] = [:]
    /// Identities whose certificate ran out.
    var expired: Set<SPIFFEID> = []
    /// The nodes as the controller knows them.
    var nodes: [MeshStatusReport.Node] = []

    func end(_ workload: Workload, address: String) -> ExplainReport.End {
        var end = ExplainReport.End(
            name: "\(workload.namespace)/\(workload.name)", address: address, capture: capture(workload),
            certificate: certificate(workload), agent: agent(workload))
        end.node = workload.node
        if workload.isEnrolled { end.identity = workload.identity.description }
        return end
    }

    private func capture(_ workload: Workload) -> String {
        guard workload.isEnrolled else { return workload.isHostNetwork ? "HostNetwork" : "NotEnrolled" }
        guard workload.node == node else { return remoteCapture(workload) }
        switch pods[workload.uid]?.state {
        case .captured: return "Captured"
        case .failed: return "Failed"
        case .pending, .withdrawn, nil: return "Pending"
        }
    }

    private func remoteCapture(_ workload: Workload) -> String {
        guard let host = nodes.first(where: { $0.name == workload.node }), host.state == .ready else { return "?" }
        let name = "\(workload.namespace)/\(workload.name)"
        guard let missing = host.missingPods.first(where: { $0.pod == name }) else { return "Captured" }
        return missing.reason.hasPrefix("failed") ? "Failed" : "Pending"
    }

    private func certificate(_ workload: Workload) -> String {
        guard workload.isEnrolled else { return "-" }
        guard workload.node == node else {
            guard let host = nodes.first(where: { $0.name == workload.node }), host.state == .ready,
                let all = host.certificates, host.validCertificates == all
            else { return "?" }
            return "Valid"
        }
        switch certificates[workload.identity]?.state {
        case .valid, .renewing: return "Valid"
        case .unavailable: return expired.contains(workload.identity) ? "Expired" : "Missing"
        case nil: return "Missing"
        }
    }

    private func agent(_ workload: Workload) -> String {
        guard !workload.node.isEmpty else { return "-" }
        if workload.node == node { return isReady ? "Ready" : "NotReady" }
        return nodes.first { $0.name == workload.node }?.state.rawValue ?? "?"
    }
}
