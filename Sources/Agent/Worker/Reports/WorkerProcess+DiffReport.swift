internal import Identity
internal import Mesh
internal import Telemetry
internal import XDS

extension WorkerProcess {
    /// - Parameter nodes: as the controller knows them; empty if it does not answer.
    func diffReport(_ nodes: [MeshStatusReport.Node]) -> DiffReport {
        let facts = DiffFacts(
            node: configuration.node, snapshot: snapshot, pods: pods, certificates: certificateStatuses,
            wantedVersion: controllerReport.flatMap { UInt64($0.snapshotVersion) }, enforcedVersion: controllerVersion,
            isConnectedToController: controllerTrouble == nil, manifests: manifestProblems, nodes: nodes)
        return DiffReport(time: time, node: configuration.node, items: facts.items)
    }

    /// - Parameter nodes: as the controller knows them; empty if it does not answer.
    func explainer(_ nodes: [MeshStatusReport.Node]) -> Explainer {
        let states = EndStates(
            node: configuration.node, isReady: notReadyReason == nil, pods: pods,
            certificates: Dictionary(certificateStatuses.map { ($0.identity, $0) }) { first, _ in first },
            expired: expiredIdentities, nodes: nodes)
        return Explainer(snapshot: snapshot, states: states, time: time, configurationVersion: controllerVersion)
    }

    /// Answers one question about a connection.
    /// - Throws: `ExplainError`, for the one who asks.
    func explain(_ query: [String: String], _ nodes: [MeshStatusReport.Node]) throws(ExplainError) -> ExplainReport {
        guard hasSnapshot else {
            throw ExplainError("this agent has no configuration yet, so it cannot tell: see `meshnode status --local`")
        }
        let explainer = explainer(nodes)
        if let id = query["id"] { return try explain(id: id, with: explainer, nodes) }
        guard let source = query["src"], let destination = query["dst"] else {
            throw ExplainError("say who connects to what: meshnode explain NAMESPACE/POD DESTINATION:PORT")
        }
        return try explainer.answer(source: source, destination: destination, asPlaintext: query["plaintext"] != nil)
    }

    private func explain(
        id: String, with explainer: Explainer, _ nodes: [MeshStatusReport.Node]
    ) throws(ExplainError) -> ExplainReport {
        guard let number = UInt64(id) else {
            throw ExplainError("'\(id)' is no id: it is a number from the access log")
        }
        if let record = telemetry.refusals.record(id: number) { return explainer.answer(record) }
        let others = nodes.filter { node in
            node.name != configuration.node && node.refusals.contains { $0.id == id }
        }
        guard others.isEmpty else {
            let names = others.map(\.name).joined(separator: ", ")
            throw ExplainError("connection \(id) was refused on \(names): ask there, meshnode explain --id \(id)")
        }
        throw ExplainError(
            """
            no refused connection \(id) is remembered on \(configuration.node): the node that refused it keeps the last \
            1024, until its worker is restarted, here \(Timestamp(secondsSince1970: started)); the access log keeps its \
            line; see `meshnode connections --denied`, or ask again as `meshnode explain SRC DST:PORT`
            """)
    }
}
