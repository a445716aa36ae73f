internal import Mesh

extension WorkerProcess {
    var policiesReport: PoliciesReport {
        let local = snapshot.enrolledWorkloads(onNode: configuration.node)
        let items = snapshot.policies.map { policy in
            PoliciesReport.Item(
                namespace: policy.name.namespace, name: policy.name.name,
                kind: policy.kindName, action: policy.actionName,
                scope: PoliciesReport.Item.Scope(policy.scope), rules: policy.rules.count,
                pods: local.count { snapshot.policies(for: $0).contains { $0.name == policy.name } },
                isDryRun: policy.isDryRun, notes: policy.enforcementNotes)
        }
        return PoliciesReport(time: time, node: configuration.node, items: items)
    }
}

extension PoliciesReport.Item.Scope {
    init(_ scope: AuthorizationPolicy.Scope) {
        self =
            switch scope {
            case .mesh: .mesh
            case .namespace: .namespace
            case .workload: .workload
            }
    }
}
