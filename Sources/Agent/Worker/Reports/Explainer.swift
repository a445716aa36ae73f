internal import Addressing
internal import Mesh

/// Answers "would this be allowed, and why" out of one snapshot, through the router and the authorizer that decide about
/// real connections, so that what it says cannot differ from what they do.
struct Explainer {
    let snapshot: MeshSnapshot
    var states: EndStates
    let time: Timestamp
    /// The controller's version of `snapshot`.
    var configurationVersion: UInt64?

    /// More endpoints than these are not asked one by one.
    private static let mostEndpoints = 32

    /// Before the fact.
    /// - Parameter asPlaintext: the client is to be taken for one without identity.
    /// - Throws: `ExplainError` if an end is not understood or not known.
    func answer(source: String, destination: String, asPlaintext: Bool) throws(ExplainError) -> ExplainReport {
        let resolver = EndResolver(snapshot: snapshot)
        let (client, clientNote) = try resolver.source(source)
        let namespace = if case .workload(let workload) = client { workload.namespace } else { "" }
        let (server, port, serverNote) = try resolver.destination(destination, from: namespace)
        let question = try ExplainCase(
            client: client, server: server, address: resolver.typedAddress(destination), port: port,
            asPlaintext: asPlaintext, typed: destination)
        var report = answer(question)
        report.notes = [clientNote, serverNote].compactMap(\.self) + report.notes
        return report
    }

    /// The answer for ends that are known.
    func answer(_ question: ExplainCase) -> ExplainReport {
        let (verdicts, refusal, route) = walk(question)
        let denied = verdicts.first { $0.answer == .denied }
        let isDenied = refusal != nil || denied != nil
        return ExplainReport(
            time: time, node: states.node, configurationVersion: configurationVersion, source: source(of: question),
            destination: question.destinationText, answer: isDenied ? .denied : .allowed,
            reason: refusal?.reason ?? denied?.reason ?? "",
            summary: refusal?.summary ?? denied?.summary ?? verdicts.first?.summary
                ?? "allowed: \(question.isToItself ? "from the pod to itself" : "passed through")",
            route: route, verdicts: verdicts, rules: rules(question, verdicts), notes: notes(question, verdicts))
    }

    // MARK: The way

    private struct Refusal {
        var reason: String
        var summary: String
    }

    /// Asks the router again and again, each time without the endpoints that it chose before: so every endpoint that it
    /// may choose is seen.
    private func walk(_ question: ExplainCase) -> ([ExplainReport.Verdict], Refusal?, [String]) {
        var verdicts: [ExplainReport.Verdict] = []
        var route = question.opening
        var seen: Set<WorkloadUID> = []
        guard let source = question.routingSource else { return ([], nil, route) }
        guard !question.isToItself else {
            return ([], nil, ["a pod's connection to its own address does not leave it, and is not captured"])
        }
        while seen.count < Self.mostEndpoints {
            let next = Router.route(
                OriginalDestination(question.address), from: source, in: snapshot, randomBits: 0, excluding: seen)
            switch next {
            case .refused(let reason, let detail):
                guard seen.isEmpty else { return (verdicts, nil, route) }
                route.append("refused at the source: \(detail)")
                return ([], Refusal(reason: reason.rawValue, summary: "denied, \(reason.rawValue): \(detail)"), route)
            case .tunnel(let tunnel):
                if seen.isEmpty { route += Self.steps(tunnel) }
                verdicts.append(verdict(question, at: tunnel.endpoint, tunnel.application.address, .tunnel(tunnel)))
                guard tunnel.service != nil, !tunnel.isToWaypoint, seen.insert(tunnel.endpoint.uid).inserted else {
                    return (verdicts, nil, route)
                }
            case .plaintext(let plain):
                if seen.isEmpty { route += Self.steps(plain) }
                guard let workload = plain.workload else { return (verdicts, nil, route) }
                verdicts.append(verdict(question, at: workload, plain.address.address, next))
                guard plain.service != nil, seen.insert(workload.uid).inserted else { return (verdicts, nil, route) }
            }
        }
        return (verdicts, nil, route)
    }

    private static func steps(_ tunnel: TunnelRoute) -> [String] {
        let service = tunnel.service.map { ["service \($0)"] } ?? []
        if tunnel.isToWaypoint { return service + ["waypoint \(tunnel.endpoint.namespace)/\(tunnel.endpoint.name)"] }
        return service
    }

    private static func steps(_ plain: PlaintextRoute) -> [String] {
        let service = plain.service.map { ["service \($0)"] } ?? []
        guard plain.workload == nil else { return service }
        return service + ["nobody in the mesh has \(plain.address): passed through as it is"]
    }

    // MARK: The verdict

    private func verdict(
        _ question: ExplainCase, at workload: Workload, _ address: SocketAddress, _ route: Route
    ) -> ExplainReport.Verdict {
        let server = states.end(workload, address: address.description)
        let way = way(question, to: workload, route)
        guard workload.isEnrolled else {
            return ExplainReport.Verdict(
                server: server, answer: .allowed, reason: "",
                summary: "allowed: \(server.name) is not in the mesh, so no policy is enforced there", way: way,
                considered: [], audited: [], dryRun: [])
        }
        let facts = ConnectionFacts(
            source: question.identity, sourceAddress: question.sourceAddress(for: address.ip.family),
            destinationAddress: address.ip, destinationPort: address.port)
        var verdict = judged(on: facts, at: workload, server: server, way: way)
        if let failure = certificateFailure(question, server), verdict.answer == .allowed {
            verdict.answer = .denied
            verdict.reason = failure.reason.rawValue
            verdict.summary = "denied, \(verdict.reason): \(failure.cause)"
        }
        return verdict
    }

    /// What the policies say.
    func judged(
        on facts: ConnectionFacts, at workload: Workload, server: ExplainReport.End, way: String
    ) -> ExplainReport.Verdict {
        let explanation = Explanation(facts, to: workload, in: snapshot)
        let verdict = explanation.verdict
        return ExplainReport.Verdict(
            server: server, answer: verdict.isAllowed ? .allowed : .denied, reason: verdict.reason?.rawValue ?? "",
            summary: verdict.summary, way: way,
            considered: ExplainReport.Consideration.list(explanation, in: snapshot),
            audited: verdict.audited.map(\.description),
            dryRun: verdict.dryRun.map { "\($0.policy) \($0.effect.rawValue)" })
    }

    private func way(_ question: ExplainCase, to workload: Workload, _ route: Route) -> String {
        if let cause = question.plaintextCause { return "plaintext: \(cause)" }
        switch route {
        case .tunnel(let tunnel):
            let accepted = tunnel.acceptedIdentities.map(\.description).sorted().joined(separator: " or ")
            return "HBONE to \(tunnel.address), whose certificate must say \(accepted)\(tunnel.nodeNote)"
        case .plaintext(let plain):
            switch plain.cause {
            case .notEnrolled: return "plaintext: \(workload.namespace)/\(workload.name) is not in the mesh"
            case .hostNetwork: return "plaintext: \(workload.namespace)/\(workload.name) shares its node's network"
            case .unknownDestination: return "plaintext: nobody in the mesh has the address"
            }
        case .refused: return ""
        }
    }

    /// Without its certificate neither end can open a tunnel, whatever the policies say.
    private func certificateFailure(
        _ question: ExplainCase, _ server: ExplainReport.End
    ) -> (reason: Reason, cause: String)? {
        guard question.plaintextCause == nil else { return nil }
        let source = source(of: question)
        for end in [source, server] where end.certificate == "Missing" || end.certificate == "Expired" {
            let reason: Reason = end.certificate == "Expired" ? .certificateExpired : .certificateUnavailable
            return (reason, "the certificate of \(end.name) is \(end.certificate.lowercased())")
        }
        return nil
    }

    private func source(of question: ExplainCase) -> ExplainReport.End {
        switch question.client {
        case .workload(let workload):
            let address = workload.address(in: question.address.ip.family) ?? workload.addresses.first
            var end = states.end(workload, address: address?.description ?? "")
            end.identity = question.identity?.description
            return end
        case .stranger(let address):
            return ExplainReport.End(
                name: address.description, address: address.description, capture: "NotEnrolled", certificate: "-",
                agent: "-")
        }
    }
}
