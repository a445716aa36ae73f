internal import Addressing
internal import Mesh
internal import Telemetry

extension Explainer {
    /// After the fact: what was decided then, and whether it would still be.
    func answer(_ record: ConnectionRecord) -> ExplainReport {
        var report = record.direction == .inbound ? inbound(record) : outbound(record)
        report.earlier = ExplainReport.Earlier(
            connection: ConnectionsReport.Refused(record), changes: changes(since: record, report))
        return report
    }

    /// The server's agent decides with the facts of then on the policies of now.
    private func inbound(_ record: ConnectionRecord) -> ExplainReport {
        let address = record.destination.address
        let workload =
            record.destination.workload.flatMap(snapshot.workload) ?? address.flatMap { snapshot.workload(at: $0.ip) }
        guard let address, let workload else { return unknown(record, "the server is gone") }
        let facts =
            record.facts
            ?? ConnectionFacts(
                source: record.source.identity, sourceAddress: record.source.address?.ip ?? address.ip,
                destinationAddress: address.ip, destinationPort: address.port)
        let verdict = judged(
            on: facts, at: workload, server: states.end(workload, address: address.description),
            way: Self.way(of: record))
        return report(
            record, verdict.answer, verdict.reason, verdict.summary, [verdict],
            facts.source == nil ? ["the client showed no identity then"] : [])
    }

    /// The client's agent routes again.
    private func outbound(_ record: ConnectionRecord) -> ExplainReport {
        guard let source = record.source.workload.flatMap(snapshot.workload) else {
            return unknown(record, "the client is gone")
        }
        guard let address = record.requested ?? record.destination.address else {
            return unknown(record, "where it went is not known")
        }
        let question = ExplainCase(
            client: .workload(source), address: address,
            service: snapshot.service(at: address.ip, from: source.namespace), asPlaintext: false,
            typed: record.service.map { "\($0.name).\($0.namespace):\(address.port)" } ?? address.description)
        return answer(question)
    }

    private func unknown(_ record: ConnectionRecord, _ cause: String) -> ExplainReport {
        report(
            record, .denied, record.reason?.rawValue ?? "", "cannot be asked again: \(cause)", [],
            ["what was decided then is below; \(cause), so it cannot be asked again"])
    }

    private func report(
        _ record: ConnectionRecord, _ answer: ExplainReport.Answer, _ reason: String, _ summary: String,
        _ verdicts: [ExplainReport.Verdict], _ notes: [String]
    ) -> ExplainReport {
        var source = ExplainReport.End(
            name: record.source.name.isEmpty
                ? record.source.address?.description ?? "?" : "\(record.source.namespace)/\(record.source.name)",
            address: record.source.address?.description ?? "")
        if let workload = record.source.workload.flatMap(snapshot.workload) {
            source = states.end(workload, address: source.address)
        }
        source.identity = record.source.identity?.description
        return ExplainReport(
            time: time, node: states.node, configurationVersion: configurationVersion, source: source,
            destination: record.destination.address?.description ?? "?", answer: answer, reason: reason,
            summary: summary, route: [], verdicts: verdicts, rules: [], notes: notes)
    }

    /// How the bytes would have travelled.
    private static func way(of record: ConnectionRecord) -> String {
        if record.isSameNode { return "joined on this node, as it came then" }
        return record.security == .mutualTLS ? "HBONE, as it came then" : "plaintext, as it came then"
    }

    private func changes(since record: ConnectionRecord, _ report: ExplainReport) -> [String] {
        var changes: [String] = []
        let then = record.reason?.rawValue ?? ""
        if report.answer == .allowed {
            changes.append("refused then with \(then); now it would be allowed")
        } else if !report.reason.isEmpty, report.reason != then {
            changes.append("refused then with \(then); now it would be with \(report.reason)")
        }
        if let name = record.policy, snapshot.policy(name) == nil { changes.append("policy \(name) is gone") }
        if record.snapshotVersion > 0, snapshot.version != record.snapshotVersion {
            changes.append(
                "this node's state was number \(record.snapshotVersion) then, and is \(snapshot.version) now")
        }
        return changes
    }
}
