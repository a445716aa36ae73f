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

    private enum Value {
        case text(String)
        /// Text that needs no quotation marks or escapes in the text format: made here, of known characters.
        case word(String)
        case number(UInt64)
    }

    private let format: Format

    package init(format: Format) { self.format = format }

    /// One line, without its end. What is unknown is left out.
    package func line(for record: ConnectionRecord) -> String {
        let fields = Self.fields(of: record)
        switch format {
        case .text:
            return fields.map { "\($0.0)=\(Self.text($0.1))" }.joined(separator: " ")
        case .json:
            return "{" + fields.map { "\"\($0.0)\":\(Self.json($0.1))" }.joined(separator: ",") + "}"
        }
    }

    /// The line that says that others are missing.
    package func line(forDropped count: UInt64) -> String {
        switch format {
        case .text: "scope=access dropped=\(count)"
        case .json: #"{"scope":"access","dropped":\#(count)}"#
        }
    }

    private static func fields(of record: ConnectionRecord) -> [(String, Value)] {
        var fields: [(String, Value)] = [
            ("time", .word(Timestamp.text(secondsSince1970: (record.closedAt ?? record.openedAt).secondsSince1970))),
            ("level", .word(record.reason == nil ? "info" : "warn")),
            ("scope", .word("access")),
            ("id", .number(record.id)),
        ]
        func add(_ name: String, _ value: String?) {
            if let value, !value.isEmpty { fields.append((name, .text(value))) }
        }
        func add(_ name: String, word: String?) {
            if let word { fields.append((name, .word(word))) }
        }
        add("src.addr", word: record.source.address?.description)
        add("src.workload", record.source.name)
        add("src.namespace", record.source.namespace)
        add("src.identity", record.source.identity?.description)
        add("dst.addr", word: record.destination.address?.description)
        add("dst.hbone_addr", word: record.hboneAddress?.description)
        add("dst.service", record.hostname ?? record.service?.description)
        add("dst.workload", record.destination.name)
        add("dst.namespace", record.destination.namespace)
        add("dst.identity", record.destination.identity?.description)
        add("direction", word: record.direction.rawValue)
        add("security", word: record.security.rawValue)
        add("same_node", word: record.isSameNode ? "true" : nil)
        fields.append(("bytes_sent", .number(record.bytesSent)))
        fields.append(("bytes_recv", .number(record.bytesReceived)))
        add("duration", word: record.duration.map { "\(milliseconds($0))ms" })
        add("passthrough", word: record.passthroughReason?.rawValue)
        add("policy", record.policy?.description)
        add("audited", record.audited.map(\.description).joined(separator: ","))
        for effect in [DryRunOutcome.Effect.wouldDeny, .wouldAllow] {
            let policies = record.dryRun.filter { $0.effect == effect }.map(\.policy.description)
            add(effect.fieldName, policies.joined(separator: ","))
        }
        add("reason", word: record.reason?.rawValue)
        add("error", record.detail)
        return fields
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .text(let text): LogText.quoted(text)
        case .word(let word): word
        case .number(let number): String(number)
        }
    }

    private static func json(_ value: Value) -> String {
        switch value {
        case .text(let text), .word(let text): LogText.json(text)
        case .number(let number): String(number)
        }
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
