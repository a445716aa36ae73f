internal import Agent

extension ConnectionsReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let open = live.isEmpty ? "No open connections.\n" : liveTable(isWide)
        let denied = refused.isEmpty ? "No connections refused of late.\n" : refusedTable(isWide)
        return open + "\n" + (refused.isEmpty ? "" : palette.paint("REFUSED", .bad) + "\n") + denied
    }

    var names: [String] { live.map { "connection/\($0.id)" } + refused.map { "connection/\($0.id)" } }

    func kept(to namespace: String?) -> Self {
        guard let namespace else { return self }
        return Self(
            time: time, node: node,
            live: live.filter { $0.source.namespace == namespace || $0.destination.namespace == namespace },
            refused: refused.filter { $0.source.namespace == namespace || $0.destination.namespace == namespace })
    }

    private func liveTable(_ isWide: Bool) -> String {
        var headers = ["DIRECTION", "SOURCE", "DESTINATION", "SECURITY", "AGE", "SENT", "RECV"]
        if isWide {
            headers += ["SERVICE", "POLICY", "SOURCE-ADDRESS", "SOURCE-IDENTITY", "DESTINATION-IDENTITY", "ID"]
        }
        var table = Table(headers, gap: 2)
        for item in live {
            var cells = [
                item.direction.rawValue, Self.name(item.source), Self.nameWithPort(item.destination),
                item.security.rawValue, Quantity.age(of: item.opened, at: time), Quantity.bytes(item.sentBytes),
                Quantity.bytes(item.receivedBytes),
            ]
            if isWide {
                cells += [
                    item.service ?? "", item.policy ?? "", item.source.address, item.source.identity ?? "",
                    item.destination.identity ?? "", item.id,
                ]
            }
            table.append(cells)
        }
        return table.text
    }

    func refusedTable(_ isWide: Bool) -> String {
        var headers = ["AGE", "SOURCE", "DESTINATION", "REASON", "POLICY"]
        if isWide { headers += ["DIRECTION", "SERVICE", "SOURCE-ADDRESS", "SOURCE-IDENTITY", "ID", "DETAIL"] }
        var table = Table(headers, gap: 2)
        for item in refused {
            var cells = [
                Quantity.age(of: item.time, at: time), Self.name(item.source), Self.target(of: item),
                item.reason, item.policies.joined(separator: ","),
            ]
            if isWide {
                cells += [
                    item.direction.rawValue, item.service ?? "", item.source.address, item.source.identity ?? "",
                    item.id, item.detail,
                ]
            }
            table.append(cells)
        }
        return table.text
    }

    /// `namespace/name`, or the address of somebody unknown.
    static func name(_ end: End) -> String {
        guard let workload = end.workload else { return end.address }
        return "\(end.namespace ?? Quantity.unknown)/\(workload)"
    }

    /// Whom it was for: the pod, or where none was chosen the service as `explain` takes it, `name.namespace:port`.
    static func target(of item: Refused) -> String {
        guard item.destination.workload == nil, let service = item.service,
            let slash = service.firstIndex(of: "/"), let colon = item.destination.address.lastIndex(of: ":")
        else { return nameWithPort(item.destination) }
        let name = service[service.index(after: slash)...].prefix { $0 != ":" }
        return "\(name).\(service[..<slash])\(item.destination.address[colon...])"
    }

    /// `namespace/name:port`, or the address of somebody unknown.
    static func nameWithPort(_ end: End) -> String {
        guard end.workload != nil, let colon = end.address.lastIndex(of: ":") else { return end.address }
        return name(end) + end.address[colon...]
    }
}

/// Only the refused connections of a report, with their ids.
struct RefusedConnections: RenderableReport {
    static var path: String { ConnectionsReport.path }
    static var kind: String { ConnectionsReport.kind }

    private var report: ConnectionsReport

    init(report: ConnectionsReport) {
        self.report = report
        self.report.live = []
    }

    init(from decoder: any Decoder) throws { self.init(report: try ConnectionsReport(from: decoder)) }

    func encode(to encoder: any Encoder) throws { try report.encode(to: encoder) }

    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        guard !report.refused.isEmpty else { return "No connections refused of late.\n" }
        guard !isWide else { return report.refusedTable(true) }
        var table = Table(["AGE", "SOURCE", "DESTINATION", "REASON", "ID"], gap: 2)
        for item in report.refused {
            table.append([
                Quantity.age(of: item.time, at: report.time), ConnectionsReport.name(item.source),
                ConnectionsReport.target(of: item), item.reason, item.id,
            ])
        }
        return table.text + "\nNext: meshnode explain --id ID\n"
    }

    var names: [String] { report.refused.map { "connection/\($0.id)" } }
}
