internal import Mesh

extension WorkerProcess {
    var policiesReport: PoliciesReport {
        let local = snapshot.workloads.filter { $0.node == configuration.node && $0.isEnrolled }
        let items = snapshot.policies.map { policy in
            PoliciesReport.Item(
                namespace: policy.name.namespace, name: policy.name.name,
                kind: policy.origin == .peerAuthentication ? "PeerAuthentication" : "AuthorizationPolicy",
                action: policy.origin == .peerAuthentication ? "STRICT" : policy.action.rawValue.uppercased(),
                scope: PoliciesReport.Item.Scope(policy.scope), rules: policy.rules.count,
                pods: local.count { snapshot.policies(for: $0).contains { $0.name == policy.name } },
                isDryRun: policy.isDryRun)
        }
        return PoliciesReport(time: time, node: configuration.node, items: items)
    }
}

extension PoliciesReport.Item.Scope {
    fileprivate init(_ scope: AuthorizationPolicy.Scope) {
        self =
            switch scope {
            case .mesh: .mesh
            case .namespace: .namespace
            case .workload: .workload
            }
    }
}
