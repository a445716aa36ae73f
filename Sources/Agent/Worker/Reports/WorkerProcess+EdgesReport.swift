internal import Addressing
internal import Mesh
internal import Telemetry

extension EdgesReport.Edge {
    /// What this node's agent counted.
    init(_ edge: Edge, node: String) {
        self.init(
            source: Self.name(edge.key.source), destination: Self.name(edge.key.destination, edge.key.service),
            service: edge.key.service?.description, security: EdgesReport.Security(edge.security),
            plaintextCause: Self.cause(edge), opened: edge.openedCount, open: max(0, edge.openCount),
            refusals: Dictionary(edge.refusals.map { ($0.key.rawValue, $0.value) }) { $0 &+ $1 },
            policy: edge.lastRefusalPolicy?.description, sentBytes: edge.bytesFromClient,
            receivedBytes: edge.bytesFromServer, lastSeen: Timestamp(secondsSince1970: edge.lastSeen), nodes: [node])
    }

    private static func name(_ end: Edge.End, _ service: NamespacedName? = nil) -> String {
        guard end.workload.isEmpty else { return "\(end.namespace)/\(end.workload)" }
        return service?.description ?? end.address?.description ?? "?"
    }

    private static func cause(_ edge: Edge) -> String {
        guard edge.openedInPlaintext > 0 else { return "" }
        switch edge.plaintextCause {
        case .notEnrolled: return "server not meshed"
        case .hostNetwork: return "server on host network"
        case .unknownDestination: return "server unknown"
        case nil: return "client not meshed"
        }
    }
}

extension EdgesReport.Security {
    fileprivate init(_ security: Edge.Security) {
        self =
            switch security {
            case .mutualTLS: .mutualTLS
            case .plaintext: .plaintext
            case .mixed: .mixed
            case .unknown: .none
            }
    }
}

extension WorkerProcess {
    /// - Parameter isLocal: only what this node's agent saw.
    func edgesReport(_ answer: MeshAnswer, isLocal: Bool) -> EdgesReport {
        var all = edges
        var note = ""
        switch withCause(answer) {
        case _ where isLocal: break
        case .answered(let accounts, _):
            all += accounts.filter { $0.node != configuration.node }.compactMap(\.status).flatMap(\.edges)
        case .unreachable(let cause): note = "Only what \(configuration.node) saw: \(cause)."
        }
        return EdgesReport(time: time, node: configuration.node, items: EdgesReport.Edge.merged(all), note: note)
    }
}
