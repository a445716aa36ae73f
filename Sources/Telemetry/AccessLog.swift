import Addressing
import Mesh

/// The access log's line for a connection that ended or was refused.
package struct AccessLog: Sendable {
    /// The form of a line.
    package enum Format: String, Hashable, Sendable, CaseIterable {
        /// `key=value`, values in quotation marks where they are text.
        case text
        /// One JSON object.
        case json
    }

    private let format: Format

    package init(format: Format) { self.format = format }

    /// One line, without its end. What is unknown is left out.
    package func line(for record: ConnectionRecord) -> String {
        var lines = LogLines(format)
        write(record, to: &lines)
        return String(decoding: lines.bytes.dropLast(), as: UTF8.self)
    }

    /// The lines of `records` and, if some are missing, one that says so; UTF-8, each ends with a line feed.
    package func lines(for records: [ConnectionRecord], dropped: UInt64) -> [UInt8] {
        var lines = LogLines(format)
        lines.reserve(records.count)
        for record in records { write(record, to: &lines) }
        if dropped > 0 {
            lines.begin()
            lines.word("scope", "access")
            lines.number("dropped", dropped)
            lines.end()
        }
        return lines.bytes
    }

    private func write(_ record: ConnectionRecord, to line: inout LogLines) {
        line.begin()
        line.moment("time", (record.closedAt ?? record.openedAt).secondsSince1970)
        line.word("level", record.reason == nil ? "info" : "warn")
        line.word("scope", "access")
        line.number("id", record.id)
        line.address("src.addr", record.source.address)
        line.text("src.workload", record.source.name)
        line.text("src.namespace", record.source.namespace)
        line.text("src.identity", record.source.identity?.description)
        line.address("dst.addr", record.destination.address)
        line.address("dst.hbone_addr", record.hboneAddress)
        line.text("dst.service", record.hostname ?? record.service?.description)
        line.text("dst.workload", record.destination.name)
        line.text("dst.namespace", record.destination.namespace)
        line.text("dst.identity", record.destination.identity?.description)
        line.word("direction", record.direction.rawValue)
        line.word("security", record.security.rawValue)
        line.word("same_node", record.isSameNode ? "true" : nil)
        line.number("bytes_sent", record.bytesSent)
        line.number("bytes_recv", record.bytesReceived)
        line.word("duration", record.duration.map { "\(Self.milliseconds($0))ms" })
        line.word("passthrough", record.passthroughReason?.rawValue)
        line.text("policy", record.policy?.description)
        line.text("audited", Self.list(record.audited))
        for effect in [DryRunOutcome.Effect.wouldDeny, .wouldAllow] where !record.dryRun.isEmpty {
            line.text(effect.fieldName, Self.list(record.dryRun.filter { $0.effect == effect }.map(\.policy)))
        }
        line.word("reason", record.reason?.rawValue)
        line.text("error", record.detail)
        line.end()
    }

    private static func list(_ policies: [NamespacedName]) -> String? {
        policies.isEmpty ? nil : policies.map(\.description).joined(separator: ",")
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (whole, isOverflow) = seconds.multipliedReportingOverflow(by: 1000)
        return isOverflow ? .max : whole + attoseconds / 1_000_000_000_000_000
    }
}

extension DryRunOutcome.Effect {
    /// The name of the field that lists the policies with this effect.
    fileprivate var fieldName: String {
        switch self {
        case .wouldDeny: "would_deny"
        case .wouldAllow: "would_allow"
        }
    }
}
