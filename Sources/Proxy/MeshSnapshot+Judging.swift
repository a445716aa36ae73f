internal import Mesh

extension MeshSnapshot {
    /// Whether a connection to or from one of `pods` may be judged otherwise than in `old`. A verdict depends on what the
    /// connection is, which stays, on the policies and which of them the pod names, on the waypoints that it is behind,
    /// and on what its namespace lets out.
    func mayJudgeOtherwise(than old: MeshSnapshot, about pods: some Sequence<WorkloadUID>) -> Bool {
        if !hasSamePolicies(as: old) { return true }
        return pods.contains { uid in
            let (before, after) = (old.workload(uid), workload(uid))
            if before?.policies != after?.policies || before?.namespace != after?.namespace { return true }
            guard let before, let after else { return false }
            return old.namespacePolicy(of: after.namespace).egress != namespacePolicy(of: after.namespace).egress
                || old.waypointRequirements(of: before) != waypointRequirements(of: after)
        }
    }

    /// Which waypoints must be come from, for each port where that may differ; 0 stands for all others.
    private func waypointRequirements(of workload: Workload) -> [WaypointRequirement] {
        var ports: [UInt16] = workload.waypoint == nil ? [] : [0]
        for (name, mappings) in workload.services where service(name)?.waypoint != nil {
            ports += mappings.map(\.targetPort)
        }
        return Set(ports).sorted().map { WaypointRequirement(port: $0, of: workload, in: self) }
    }
}
