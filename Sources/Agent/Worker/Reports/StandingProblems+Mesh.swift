internal import Mesh

extension StandingProblems {
    /// More services than this without endpoints are told as one number: then something larger is wrong.
    private static let mostServices = 20

    var meshProblems: [Problem] { policyProblems + fieldProblems + hostNetworkProblems + serviceProblems }

    private var fieldProblems: [Problem] {
        snapshot.policies.filter { $0.action != .custom && !$0.enforcementNotes.isEmpty }.map { policy in
            Problem(
                code: .waypointMissing, severity: .warning, object: "\(policy.kindName) \(policy.name)",
                cause: policy.enforcementNotes.joined(separator: "; "), effect: "more is refused than is written",
                tryCommand: "meshnode policies -o wide")
        }
    }

    /// Beside enrolled pods in a namespace, one on its node's network looks as if it were in the mesh.
    private var hostNetworkProblems: [Problem] {
        let enrolled = Set(snapshot.enrolledWorkloads(onNode: node).map(\.namespace))
        guard !enrolled.isEmpty else { return [] }
        return snapshot.workloads.filter {
            $0.isHostNetwork && $0.node == node && enrolled.contains($0.namespace)
        }
        .map { workload in
            Problem(
                code: .podNeverCaptured, severity: .warning, object: "\(workload.namespace)/\(workload.name)",
                cause: "not captured, though others of its namespace are: host network",
                effect: "its connections are plaintext, and policies do not protect it",
                tryCommand: "meshnode workloads -n \(workload.namespace)")
        }
    }

    private var policyProblems: [Problem] {
        snapshot.policies.filter { $0.action == .custom }.map { policy in
            Problem(
                code: .policyNeedsWaypoint, severity: .warning, object: "AuthorizationPolicy \(policy.name)",
                cause: "CUSTOM needs a waypoint that asks the authorizer, and there is none",
                effect: "everything that its rules match is denied", tryCommand: "meshnode policies")
        }
    }

    private var serviceProblems: [Problem] {
        let names = snapshot.services.filter { !snapshot.hasEndpoint($0) }.map(\.name)
        let shown = names.count > Self.mostServices ? names.prefix(Self.mostServices - 1) : names[...]
        let rest = names.count - shown.count
        return shown.map { serviceProblem("Service \($0)") }
            + (rest > 0 ? [serviceProblem("\(rest) more services")] : [])
    }

    private func serviceProblem(_ object: String) -> Problem {
        Problem(
            code: .serviceWithoutEndpoints, severity: .warning, object: object, cause: "no healthy endpoint",
            effect: "connections to it fail with NO_HEALTHY_UPSTREAM", tryCommand: "meshnode workloads")
    }
}

extension MeshSnapshot {
    /// Whether a connection to `service` has somewhere to go.
    fileprivate func hasEndpoint(_ service: Service) -> Bool {
        endpoints(of: service.name).contains { $0.isHealthy || service.publishesNotReady }
    }
}
