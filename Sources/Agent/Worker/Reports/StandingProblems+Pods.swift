internal import Keeper
internal import Mesh

extension StandingProblems {
    var podProblems: [Problem] {
        pods.sorted { $0.uid < $1.uid }.flatMap { report in
            var problems = [captureProblem(report)].compactMap(\.self)
            if report.repairs > 0, report.state != .withdrawn { problems.append(repaired(report)) }
            return problems
        }
    }

    private func captureProblem(_ report: PodReport) -> Problem? {
        let name = snapshot.shortName(report.uid)
        switch report.state {
        case .pending:
            return Problem(
                code: .namespaceNotFound, severity: .warning, object: name, cause: report.detail,
                effect: "the pod's traffic is not captured yet",
                tryCommand: "meshnode workloads -n \(snapshot.workload(report.uid)?.namespace ?? "NAMESPACE")")
        case .failed:
            return Problem(
                code: .captureRefused, severity: .error, object: name, cause: report.detail,
                effect: "the pod's traffic may not be captured", tryCommand: "look at the agent's log")
        case .captured:
            guard report.uncapturedConnections > 0 else { return nil }
            return Problem(
                code: .connectionsBeforeEnrolment, severity: .warning, object: name,
                cause: "\(report.uncapturedConnections) connections are older than its enrolment",
                effect: "they stay in plaintext until they end", tryCommand: "restart the pod's clients")
        case .withdrawn: return nil
        }
    }

    private func repaired(_ report: PodReport) -> Problem {
        Problem(
            code: .captureRepaired, severity: .warning, object: snapshot.shortName(report.uid),
            cause: "somebody changed its rules, \(report.repairs) times so far; they were put back",
            effect: "connections of that moment may have gone around the mesh",
            tryCommand: "find the program that changes nftables in the pod's namespace")
    }
}
