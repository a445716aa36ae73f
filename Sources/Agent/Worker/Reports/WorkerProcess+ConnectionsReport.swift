internal import Addressing
internal import Mesh
internal import Telemetry

extension WorkerProcess {
    func connectionsReport(open: [ConnectionRecord]) -> ConnectionsReport {
        ConnectionsReport(
            time: time, node: configuration.node, live: open.map(ConnectionsReport.Live.init),
            refused: telemetry.refusals.latest.reversed().map(ConnectionsReport.Refused.init))
    }
}

extension ConnectionsReport.End {
    fileprivate init(_ facts: PeerFacts) {
        self.init(
            address: facts.address?.description ?? "", workload: facts.name.isEmpty ? nil : facts.name,
            namespace: facts.namespace.isEmpty ? nil : facts.namespace, identity: facts.identity?.description)
    }
}

extension ConnectionsReport.Live {
    fileprivate init(_ record: ConnectionRecord) {
        self.init(
            id: String(record.id), direction: record.direction == .outbound ? .outbound : .inbound,
            source: .init(record.source), destination: .init(record.destination), service: record.service?.description,
            security: .init(record),
            opened: Timestamp(secondsSince1970: record.openedAt.secondsSince1970), sentBytes: record.bytesSent,
            receivedBytes: record.bytesReceived, policy: record.policy?.description)
    }
}

extension ConnectionsReport.Security {
    fileprivate init(_ record: ConnectionRecord) {
        if record.isSameNode {
            self = .local
        } else {
            self = record.security == .mutualTLS ? .mutualTLS : .plaintext
        }
    }
}

extension ConnectionsReport.Refused {
    init(_ record: ConnectionRecord) {
        self.init(
            id: String(record.id),
            time: Timestamp(secondsSince1970: (record.closedAt ?? record.openedAt).secondsSince1970),
            direction: record.direction == .outbound ? .outbound : .inbound, source: .init(record.source),
            destination: .init(record.destination), service: record.service?.description,
            reason: record.reason?.rawValue ?? "", policies: record.policy.map { [$0.description] } ?? [],
            detail: record.detail ?? "", facts: record.facts.map(ConnectionsReport.Facts.init),
            stateVersion: record.snapshotVersion == 0 ? nil : record.snapshotVersion,
            audited: record.audited.isEmpty ? nil : record.audited.map(\.description),
            dryRun: record.dryRun.isEmpty ? nil : record.dryRun.map { "\($0.policy) \($0.effect.rawValue)" })
    }
}

extension ConnectionsReport.Facts {
    fileprivate init(_ facts: ConnectionFacts) {
        self.init(
            source: facts.source?.description, sourceAddress: facts.sourceAddress.description,
            destinationAddress: facts.destinationAddress.description, destinationPort: facts.destinationPort)
    }
}
