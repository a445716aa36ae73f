internal import Agent

extension EdgesReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let tail = note.isEmpty ? "" : "\n" + Paragraph.text(first: "Note:", indent: 6, note)
        guard !items.isEmpty else { return "Nobody has talked to anybody yet.\n" + tail }
        var headers = ["SOURCE", "DESTINATION", "SECURITY", "CONNS", "OPEN", "DENIED", "WHY"]
        if isWide { headers += ["SERVICE", "POLICY", "SENT", "RECV", "LAST", "SEEN-BY"] }
        var table = Table(headers, gap: 2)
        for item in items {
            var cells = [
                item.source, item.destination, item.security.rawValue, Quantity.count(item.opened), "\(item.open)",
                Quantity.count(item.refused), item.why,
            ]
            if isWide {
                cells += [
                    item.service ?? "", item.policy ?? "", Quantity.bytes(item.sentBytes),
                    Quantity.bytes(item.receivedBytes), Quantity.age(of: item.lastSeen, at: time),
                    item.nodes.joined(separator: ","),
                ]
            }
            table.append(cells)
        }
        return table.text + tail
    }

    var names: [String] { items.map { "edge/\($0.source)->\($0.destination)" } }

    func kept(to namespace: String?) -> Self {
        guard let namespace else { return self }
        return kept { $0.source.hasPrefix("\(namespace)/") || $0.destination.hasPrefix("\(namespace)/") }
    }

    /// The report with only the edges that are wanted.
    func kept(where isWanted: (Edge) -> Bool) -> Self {
        var report = self
        report.items = items.filter(isWanted)
        return report
    }
}

extension EdgesReport.Edge {
    /// Why it is not secured, or not there: the reason that came up most, then why it was plaintext.
    var why: String {
        let reason = refusals.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.first?.key ?? ""
        return [reason, plaintextCause].filter { !$0.isEmpty }.joined(separator: "; ")
    }
}

extension ServicesReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        guard !items.isEmpty else { return "No services known.\n" }
        var headers = ["NAMESPACE", "NAME", "ADDRESS", "PORTS", "ENDPOINTS", "WAYPOINT", "POLICIES"]
        if isWide { headers += ["HOSTNAME", "BALANCING", "SERVERS"] }
        var table = Table(headers, gap: 2)
        for item in items {
            let address = isWide ? item.addresses.joined(separator: ",") : item.addresses.first ?? ""
            var cells = [
                item.namespace, item.name, address.isEmpty ? "headless" : address, item.ports.joined(separator: ","),
                "\(item.readyEndpoints)/\(item.endpoints)", item.waypoint,
                isWide ? item.policies.joined(separator: ",") : "\(item.policies.count)",
            ]
            if isWide { cells += [item.hostname, item.balancing, item.servers.joined(separator: "; ")] }
            table.append(cells)
        }
        return table.text
    }

    var names: [String] { items.map { "service/\($0.namespace)/\($0.name)" } }

    func kept(to namespace: String?) -> Self {
        guard let namespace else { return self }
        var report = self
        report.items = items.filter { $0.namespace == namespace }
        return report
    }
}

extension DiffReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let same = items.count - differences.count
        let shown = isWide ? items : differences
        guard !shown.isEmpty else {
            return
                "\(palette.paint("Nothing differs", .good)): all \(same) things that \(Printable.text(node)) is to enforce are enforced.\n"
        }
        var table = Table(["SUBJECT", "OBJECT", "WANTED", "ENFORCED", "SAME"], gap: 2)
        for item in shown {
            table.append([item.subject.rawValue, item.object, item.wanted, item.enforced, item.isSame ? "yes" : "no"])
        }
        let reasons = shown.filter { !$0.reason.isEmpty }.map {
            Paragraph.text(first: " ", indent: 3, " \($0.object): \($0.reason)")
        }
        let why = reasons.isEmpty ? "" : "\nWHY\n" + reasons.joined()
        return table.text + why + "\n\(differences.count) of \(items.count) differ.\n"
    }

    var names: [String] { differences.map { "\($0.subject.rawValue)/\($0.object)" } }
}

extension CheckReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let width = (items.map(\.name.count).max() ?? 0) + 2
        let lines = items.map { item in
            let mark: String =
                switch item.outcome {
                case .passed: palette.paint("✓", .good)
                case .failed: palette.paint("✗", .bad)
                case .warning: palette.paint("!", .doubtful)
                case .unknown: palette.paint("?", .doubtful)
                }
            let name = Printable.text(item.name)
            let head = "  \(name)" + String(repeating: " ", count: max(1, width - name.count))
            var text = mark + Paragraph.text(first: head, indent: head.count, item.detail, width: 79).dropFirst()
            if !item.remedy.isEmpty, item.outcome != .passed {
                text += Paragraph.text(first: "    do:", indent: 8, item.remedy)
            }
            return text
        }
        return lines.joined() + "\n" + verdictLine(palette)
    }

    private func verdictLine(_ palette: Palette) -> String {
        let failed = items.count { $0.outcome == .failed }
        let doubtful = items.count { $0.outcome == .warning || $0.outcome == .unknown }
        let rest = doubtful == 0 ? "" : ", \(doubtful) in doubt"
        guard failed > 0 else { return palette.paint("Nothing failed", .good) + "\(rest).\n" }
        return palette.paint("\(failed) of \(items.count) failed", .bad) + "\(rest).\n"
    }

    var names: [String] { items.map { "check/\($0.name)" } }
}
