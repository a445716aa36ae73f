internal import Mesh

extension WorkerProcess {
    var policiesReport: PoliciesReport {
        // The pods of all nodes: a policy that reaches none here may well reach some elsewhere.
        var counts: [NamespacedName: Int] = [:]
        for workload in snapshot.workloads where workload.isEnrolled {
            for policy in snapshot.policies(for: workload) { counts[policy.name, default: 0] += 1 }
        }
        let items = snapshot.policies.map { policy in
            PoliciesReport.Item(
                namespace: policy.name.namespace, name: policy.name.name,
                kind: policy.kindName, action: policy.actionName,
                scope: PoliciesReport.Item.Scope(policy.scope), rules: policy.rules.count,
                pods: counts[policy.name] ?? 0,
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
