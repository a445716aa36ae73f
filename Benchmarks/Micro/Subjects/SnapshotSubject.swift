import Mesh

extension Subject {
    /// A change to a snapshot while connections still hold the one before, as a worker's loops do.
    static let snapshotChange = Subject(
        name: "snapshot-change", summary: "one endpoint's health in a snapshot of 10,000 workloads", iterations: 1_000
    ) {
        var snapshot = try SampleMesh.snapshot()
        var workloads = try (0..<SampleMesh.workloadCount).map { try SampleMesh.workload($0) }
        return { count in
            for iteration in 0..<count {
                let index = iteration * 7 % workloads.count
                workloads[index].isHealthy.toggle()
                let former = snapshot
                snapshot.apply(.workloadUpserted(workloads[index]))
                use(former)
            }
        }
    }
}
