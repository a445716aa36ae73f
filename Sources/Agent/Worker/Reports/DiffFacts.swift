internal import Identity
internal import Keeper
internal import Mesh

/// What is wanted on this node and what the agent knows to be enforced, as values, so that each difference can be tested
/// without a process.
struct DiffFacts {
    var node: String
    var snapshot = MeshSnapshot()
    var pods: [WorkloadUID: PodReport] = [:]
    var certificates: [CertificateStatus] = []
    /// The controller's version, as last heard.
    var wantedVersion: UInt64?
    /// The version that is in force here.
    var enforcedVersion: UInt64?
    var isConnectedToController = true
    /// Resources that could not be understood since the last that could.
    var rejections: [String] = []
    var manifests: [ManifestProblem] = []
    /// The nodes as the controller knows them; empty if it was not asked.
    var nodes: [MeshStatusReport.Node] = []

    /// Everything that was compared.
    var items: [DiffReport.Item] {
        [configuration] + rejected + podItems + certificateItems + policyItems + manifestItems + nodeItems
    }

    private var configuration: DiffReport.Item {
        let wanted = isConnectedToController ? wantedVersion.map(String.init) ?? "?" : "?"
        let enforced = enforcedVersion.map(String.init) ?? "?"
        return DiffReport.Item(
            .configuration, node, wanted: wanted, enforced: enforced, isSame: wanted == enforced && wanted != "?",
            reason: isConnectedToController ? "" : "the controller does not answer")
    }

    private var rejected: [DiffReport.Item] {
        rejections.map {
            DiffReport.Item(
                .configuration, node, wanted: "a resource", enforced: "the one before", isSame: false, reason: $0)
        }
    }

    private var podItems: [DiffReport.Item] {
        let wanted = snapshot.enrolledWorkloads(onNode: node)
        let names = Set(wanted.map(\.uid))
        let surplus = pods.values.filter { !names.contains($0.uid) && $0.state != .withdrawn }.sorted {
            $0.uid < $1.uid
        }
        return wanted.map { item(of: $0) }
            + surplus.map { report in
                DiffReport.Item(
                    .pod, snapshot.shortName(report.uid), wanted: "not captured", enforced: "\(report.state)",
                    isSame: false, reason: "it is no longer in the mesh's state")
            }
    }

    private func item(of workload: Workload) -> DiffReport.Item {
        let name = "\(workload.namespace)/\(workload.name)"
        guard let report = pods[workload.uid] else {
            return DiffReport.Item(
                .pod, name, wanted: "captured", enforced: "?", isSame: false, reason: "the keeper has not told of it")
        }
        // The keeper calls a pod captured only after it has read its rules back and found them as wanted.
        let repairs = report.repairs == 0 ? "" : ", repaired \(report.repairs) times"
        let isCaptured = report.state == .captured
        return DiffReport.Item(
            .pod, name, wanted: "captured", enforced: isCaptured ? "captured, verified\(repairs)" : "\(report.state)",
            isSame: isCaptured, reason: isCaptured ? "" : report.detail)
    }

    private var certificateItems: [DiffReport.Item] {
        let held = Dictionary(certificates.map { ($0.identity, $0) }) { first, _ in first }
        let wanted = Set(snapshot.enrolledWorkloads(onNode: node).map(\.identity))
        return wanted.sorted { $0.principal < $1.principal }.map { identity in
            let status = held[identity]
            let isHeld = status.map { $0.state != .unavailable } ?? false
            return DiffReport.Item(
                .certificate, identity.principal, wanted: "held", enforced: isHeld ? "held" : "missing",
                isSame: isHeld, reason: isHeld ? "" : status?.lastError ?? "asked for, not received yet")
        }
    }

    private var policyItems: [DiffReport.Item] {
        let asWritten = snapshot.policies.map { policy in
            let notes = policy.enforcementNotes
            return DiffReport.Item(
                .policy, policy.name.description, wanted: "as written",
                enforced: notes.isEmpty ? "as written" : "stricter",
                isSame: notes.isEmpty, reason: notes.joined(separator: "; "))
        }
        let missing = snapshot.enrolledWorkloads(onNode: node).flatMap { workload in
            snapshot.missingPolicies(for: workload).map { name in
                DiffReport.Item(
                    .policy, name.description, wanted: "enforced at \(workload.namespace)/\(workload.name)",
                    enforced: "missing", isSame: false, reason: "the policy has not arrived")
            }
        }
        return asWritten + missing
    }

    private var manifestItems: [DiffReport.Item] {
        manifests.map { problem in
            let place = problem.line.map { "\(problem.file):\($0)" } ?? problem.file
            let object = problem.object.isEmpty ? place : "\(problem.object) (\(place))"
            let field = problem.field.isEmpty ? "" : "\(problem.field): "
            return DiffReport.Item(
                .manifest, object, wanted: "as written",
                enforced: problem.severity == .error ? "its last good state" : "not quite as written", isSame: false,
                reason: field + problem.reason)
        }
    }

    private var nodeItems: [DiffReport.Item] {
        nodes.filter { $0.name != node }.map { other in
            let enforced = other.configurationVersion.map(String.init) ?? "?"
            let wanted = wantedVersion.map(String.init) ?? "?"
            return DiffReport.Item(
                .node, other.name, wanted: wanted, enforced: enforced, isSame: wanted == enforced && wanted != "?",
                reason: other.reason)
        }
    }
}
