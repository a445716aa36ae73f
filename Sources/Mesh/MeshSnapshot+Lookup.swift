package import Addressing
import HashTreeCollections

extension MeshSnapshot {
    /// The workload of that name.
    package func workload(_ uid: WorkloadUID) -> Workload? { workloadIndex.records[uid]?.workload }

    /// The workload that is reached at `address`; never one that shares its node's addresses. Where several
    /// claim the address: healthy before unhealthy, then the smallest uid.
    package func workload(at address: IPAddress) -> Workload? { workloadIndex.record(at: address)?.workload }

    /// Every workload, sorted by uid. Costs the mesh's size: for people, not for connections.
    package var workloads: [Workload] {
        workloadIndex.records.values.map(\.workload).sorted { $0.uid < $1.uid }
    }

    /// The enrolled workloads of one node, sorted by uid. Costs that node's size, not the mesh's.
    package func enrolledWorkloads(onNode node: String) -> [Workload] {
        (workloadIndex.enrolled[node]?.values.map(\.workload) ?? []).sorted { $0.uid < $1.uid }
    }

    /// How many workloads there are.
    package var workloadCount: Int { workloadIndex.records.count }

    /// The service of that name.
    package func service(_ name: NamespacedName) -> Service? { serviceIndex.services[name] }

    /// The service whose virtual address or block `address` is, seen from `namespace`: a virtual address before
    /// blocks, the longest block first; among several owners the same namespace, then the smallest name.
    package func service(at address: IPAddress, from namespace: String) -> Service? {
        serviceIndex.service(at: address, from: namespace)
    }

    /// The service with that full hostname, seen from `namespace`; among several owners as with addresses.
    package func service(hostname: String, from namespace: String) -> Service? {
        serviceIndex.service(hostname: hostname, from: namespace)
    }

    /// Every service, sorted by name. Costs the mesh's size.
    package var services: [Service] { serviceIndex.services.values.sorted { $0.name < $1.name } }

    /// How many services there are.
    package var serviceCount: Int { serviceIndex.services.count }

    /// The workloads that serve `service`, ready or not, sorted by uid; also while the service itself is unknown.
    package func endpoints(of service: NamespacedName) -> [Workload] {
        (workloadIndex.endpoints[service]?.values.map(\.record.workload) ?? []).sorted { $0.uid < $1.uid }
    }

    /// The policy of that name.
    package func policy(_ name: NamespacedName) -> AuthorizationPolicy? { policyIndex.policies[name] }

    /// Every policy, sorted by name. Costs the mesh's size.
    package var policies: [AuthorizationPolicy] { policyIndex.policies.values.sorted { $0.name < $1.name } }

    /// How many policies there are.
    package var policyCount: Int { policyIndex.policies.count }

    /// Whether the mesh has the very same policies as in `other`. Costs next to nothing when one snapshot came from
    /// the other and no policy changed.
    package func hasSamePolicies(as other: MeshSnapshot) -> Bool {
        policyIndex.policies == other.policyIndex.policies
    }

    /// The policies that decide about connections to `workload`: mesh-wide, of its namespace, then its own, each
    /// part sorted by name.
    package func policies(for workload: Workload) -> [AuthorizationPolicy] { policyIndex.applying(to: workload) }

    /// Policies that `workload` names and the snapshot does not have (yet).
    package func missingPolicies(for workload: Workload) -> [NamespacedName] {
        workload.policies.filter { policyIndex.policies[$0] == nil }
    }

    /// Contradictions in the state, by address.
    package var problems: [MeshProblem] {
        workloadIndex.contested.sorted().map { address in
            .conflictingAddress(address, workloadIndex.claimants(of: address).map(\.workload.uid))
        }
    }
}
