internal import Addressing
internal import Mesh

extension Explainer {
    /// What the two namespaces allow beside policies.
    func rules(_ question: ExplainCase, _ verdicts: [ExplainReport.Verdict]) -> [String] {
        var rules: [String] = []
        if case .workload(let workload) = question.client, workload.isEnrolled {
            rules.append(
                "namespace \(workload.namespace): egress \(snapshot.egressMode(ofNamespace: workload.namespace).rawValue)"
            )
            rules += limits(workload.namespace)
        }
        let others = Set(verdicts.compactMap { $0.server.name.split(separator: "/").first.map(String.init) })
        for namespace in others.sorted() where namespace != question.clientNamespace { rules += limits(namespace) }
        return rules
    }

    private func limits(_ namespace: String) -> [String] {
        let limits = snapshot.namespacePolicy(of: namespace).limits
        let parts = [
            limits.connectionsPerWorkload.map { "\($0) connections per pod" },
            limits.newConnectionsPerSecond.map { "\($0) new connections per second and pod" },
            limits.streamsPerPeer.map { "\($0) streams per peer" },
        ].compactMap(\.self)
        return parts.isEmpty ? [] : ["namespace \(namespace): at most " + parts.joined(separator: ", ")]
    }

    /// What stands in the way beside policies, or makes the answer less sure.
    func notes(_ question: ExplainCase, _ verdicts: [ExplainReport.Verdict]) -> [String] {
        var notes: [String] = []
        if case .workload(let workload) = question.client {
            notes += stateNotes(states.end(workload, address: ""))
            for name in snapshot.missingPolicies(for: workload) {
                notes.append("policy \(name) of \(workload.namespace)/\(workload.name) has not arrived yet")
            }
        }
        for verdict in verdicts { notes += stateNotes(verdict.server) }
        let answers = Set(verdicts.map(\.answer.rawValue))
        if answers.count > 1 {
            let denied = verdicts.count { $0.answer == .denied }
            notes.append(
                "\(denied) of \(verdicts.count) endpoints refuse it: some connections get through, others do not")
        }
        if verdicts.contains(where: { $0.way.hasPrefix("HBONE") && isWaypoint($0, question) }) {
            notes.append(
                "the waypoint decides what follows, and the server sees the waypoint's identity, not the client's")
        }
        if let service = question.service { notes += serviceNotes(service) }
        return notes
    }

    private func stateNotes(_ end: ExplainReport.End) -> [String] {
        var notes: [String] = []
        switch end.capture {
        case "Failed", "Pending":
            notes.append("\(end.name) is not captured (\(end.capture)): its connections may go around the mesh")
        default: break
        }
        if end.agent == "Lost" || end.agent == "NotReady" {
            notes.append("the agent of \(end.node) is \(end.agent): connections of \(end.name) may wait or be refused")
        }
        return notes
    }

    private func serviceNotes(_ service: Service) -> [String] {
        let endpoints = snapshot.endpoints(of: service.name)
        let ready = endpoints.count { $0.isHealthy || service.publishesNotReady }
        return ready == endpoints.count
            ? [] : ["\(endpoints.count - ready) of \(endpoints.count) endpoints are not ready"]
    }

    private func isWaypoint(_ verdict: ExplainReport.Verdict, _ question: ExplainCase) -> Bool {
        if question.service?.waypoint != nil { return true }
        return snapshot.workload(at: question.address.ip)?.waypoint != nil
    }
}

extension ExplainCase {
    fileprivate var clientNamespace: String? {
        if case .workload(let workload) = client { workload.namespace } else { nil }
    }
}
