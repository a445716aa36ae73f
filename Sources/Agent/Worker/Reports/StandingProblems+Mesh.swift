internal import Mesh

extension StandingProblems {
    /// More services than this without endpoints are told as one number: then something larger is wrong.
    private static let mostServices = 20

    var meshProblems: [Problem] { policyProblems + serviceProblems }

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
