internal import Addressing
internal import Identity
internal import Keeper
internal import Mesh
internal import Telemetry

extension WorkerProcess {
    func workloadsReport(open: [ConnectionRecord]) -> WorkloadsReport {
        var counts: [WorkloadUID: Int] = [:]
        for record in open {
            let local = record.direction == .outbound ? record.source.workload : record.destination.workload
            if let local { counts[local, default: 0] += 1 }
        }
        let certificates = Dictionary(certificateStatuses.map { ($0.identity, $0) }) { first, _ in first }
        let items = snapshot.workloads.map { workload in
            WorkloadsReport.Item(
                namespace: workload.namespace, name: workload.name, node: workload.node,
                addresses: workload.addresses.map(\.description), identity: workload.identity.description,
                protocol: workload.isEnrolled ? "HBONE" : "TCP", isHealthy: workload.isHealthy,
                capture: capture(of: workload),
                reason: pods[workload.uid]?.detail ?? "",
                connections: workload.node == configuration.node ? counts[workload.uid] ?? 0 : nil,
                certificateExpires: (certificates[workload.identity]?.notAfter).map(Timestamp.init(secondsSince1970:)),
                services: workload.services.keys.sorted().map(\.description),
                policies: snapshot.policies(for: workload).map(\.name.description),
                labels: [
                    "service.istio.io/canonical-name": workload.canonicalName,
                    "service.istio.io/canonical-revision": workload.canonicalRevision,
                ])
        }
        return WorkloadsReport(
            time: time, node: configuration.node,
            items: items.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) })
    }

    private func capture(of workload: Workload) -> WorkloadsReport.Item.Capture {
        guard workload.isEnrolled else { return .none }
        guard workload.node == configuration.node else { return .remote }
        switch pods[workload.uid]?.state {
        case .captured: return .captured
        case .failed: return .failed
        case .pending, .withdrawn, nil: return .pending
        }
    }
}
