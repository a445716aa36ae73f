internal import Agent

extension ExplainReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let parts = [heading(palette), earlierText, ends, routeText, verdictTexts(isWide), noteText, next]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    var names: [String] { ["\(answer.rawValue.lowercased())/\(reason.isEmpty ? "-" : reason)"] }

    private func heading(_ palette: Palette) -> String {
        let mood: Palette.Mood = answer == .allowed ? .good : .bad
        let question = Printable.text("\(source.name) -> \(destination)")
        let word = palette.paint(answer.rawValue, mood) + (reason.isEmpty ? "" : " \(Printable.text(reason))")
        let prefix = earlier == nil ? "" : "now "
        return "\(question)   \(prefix)\(word)\n" + Paragraph.text(first: " ", indent: 2, " \(shortSummary)")
    }

    /// Without what the line before it says.
    private var shortSummary: String {
        let prefix = "denied, \(reason): "
        return summary.hasPrefix(prefix) ? String(summary.dropFirst(prefix.count)) : summary
    }

    // MARK: Who and how

    private var ends: String {
        var table = Table(["", "NAME", "ADDRESS", "NODE", "AGENT", "CAPTURE", "CERT"], gap: 2)
        table.append(["FROM"] + Self.cells(source))
        for verdict in verdicts.prefix(8) { table.append(["TO"] + Self.cells(verdict.server)) }
        var text = table.text
        if verdicts.count > 8 { text += "... \(verdicts.count - 8) more endpoints: -o wide\n" }
        return text + Paragraph.text(first: "AS    ", indent: 6, source.identity ?? "no identity")
    }

    private static func cells(_ end: End) -> [String] {
        [end.name == end.address ? "" : end.name, end.address, end.node, end.agent, end.capture, end.certificate]
    }

    private var routeText: String {
        var lines = route
        var ways: [String] = []
        for verdict in verdicts where !ways.contains(verdict.way) && !verdict.way.isEmpty { ways.append(verdict.way) }
        lines += ways.prefix(4)
        lines += rules
        guard !lines.isEmpty else { return "" }
        return "ROUTE\n" + lines.map { Paragraph.text(first: " ", indent: 3, " \($0)") }.joined()
    }

    // MARK: Why

    /// One block for all endpoints that say the same.
    private func verdictTexts(_ isWide: Bool) -> String {
        var groups: [(verdict: Verdict, names: [String])] = []
        for verdict in verdicts {
            if let index = groups.firstIndex(where: { Self.isAlike($0.verdict, verdict) }) {
                groups[index].names.append(verdict.server.name)
            } else {
                groups.append((verdict, [verdict.server.name]))
            }
        }
        return groups.map { group in
            let end = groups.count < 2 ? "" : Paragraph.text(first: " ", indent: 3, " = \(group.verdict.summary)")
            return Self.text(of: group.verdict, group.names, isWide) + end
        }
        .joined(separator: "\n")
    }

    private static func isAlike(_ one: Verdict, _ other: Verdict) -> Bool {
        one.answer == other.answer && one.summary == other.summary && one.considered == other.considered
            && one.dryRun == other.dryRun && one.audited == other.audited
    }

    private static func text(
        of verdict: Verdict, _ names: [String], _ isWide: Bool
    ) -> String {
        let shown = isWide ? names[...] : names.prefix(3)
        let rest = names.count > shown.count ? " and \(names.count - shown.count) more" : ""
        let title = "POLICIES of \(shown.joined(separator: ", "))\(rest), in the order in which they are asked"
        var text = Paragraph.text(first: "", indent: 1, title)
        if verdict.considered.isEmpty { text += " none applies\n" }
        for item in verdict.considered { text += Self.text(of: item, isWide) }
        for policy in verdict.audited { text += Paragraph.text(first: " ", indent: 3, " AUDIT \(policy) records it") }
        for outcome in verdict.dryRun { text += Paragraph.text(first: " ", indent: 3, " dry run: \(outcome)") }
        return text
    }

    private static func text(of item: Consideration, _ isWide: Bool) -> String {
        let kind = item.kind == "AuthorizationPolicy" ? "" : " (\(item.kind))"
        let rehearsed = item.isDryRun ? " (dry run)" : ""
        let isSatisfied = item.kind == "PeerAuthentication" && !item.matches
        let outcome: String
        if item.matches {
            outcome = "rule \(item.rule.map { "\($0)" } ?? "?") matches" + (item.decides ? ", and decides" : "")
        } else {
            outcome = isSatisfied ? "satisfied, the client has an identity" : "no match"
        }
        let mark = item.decides ? ">" : " "
        var text = Paragraph.text(
            first: mark, indent: 3, " \(item.action) \(item.policy)\(kind)\(rehearsed): \(outcome)")
        for match in item.matched {
            text += Paragraph.text(
                first: "    ", indent: 12, "   \(match.field) is \(match.was), and it says \(match.value)")
        }
        guard !isSatisfied else { return text }
        let misses = isWide ? item.misses[...] : item.misses.prefix(5)
        for miss in misses {
            let rule = miss.rule.map { "rule \($0): " } ?? ""
            text += Paragraph.text(
                first: "    ", indent: 12, "   \(rule)\(miss.field) is \(miss.was), wanted \(miss.wanted)")
        }
        if misses.count < item.misses.count { text += "     ... \(item.misses.count - misses.count) more: -o wide\n" }
        for note in item.notes { text += Paragraph.text(first: "    ", indent: 6, " note: \(note)") }
        return text
    }

    // MARK: What else

    private var earlierText: String {
        guard let earlier else { return "" }
        let item = earlier.connection
        var lines = [
            "\(item.direction.rawValue), \(ConnectionsReport.name(item.source)) -> "
                + "\(ConnectionsReport.target(of: item)), refused with \(item.reason)"
        ]
        if !item.policies.isEmpty { lines.append("policies: \(item.policies.joined(separator: ", "))") }
        if !item.detail.isEmpty { lines.append(item.detail) }
        if let facts = item.facts {
            lines.append(
                "decided on: identity \(facts.source ?? "none"), from \(facts.sourceAddress), "
                    + "to \(facts.destinationAddress) port \(facts.destinationPort)")
        }
        lines +=
            earlier.changes.isEmpty
            ? ["nothing that matters has changed since"] : earlier.changes.map { "since: \($0)" }
        return "THEN  connection \(Printable.text(item.id)), \(item.time), "
            + "\(Quantity.age(of: item.time, at: time)) ago\n"
            + lines.map { Paragraph.text(first: " ", indent: 3, " \($0)") }.joined()
    }

    private var noteText: String {
        guard !notes.isEmpty else { return "" }
        return "NOTES\n" + notes.map { Paragraph.text(first: " ", indent: 3, " \($0)") }.joined()
    }

    private var next: String {
        let version = configurationVersion.map { "configuration \($0)" } ?? "configuration ?"
        let source = "As \(Printable.text(node)) knows the mesh, \(version).\n"
        guard answer == .denied else { return source }
        return source + "Next: docs/reasons.md" + (reason.isEmpty ? "" : " (\(Printable.text(reason)))") + "\n"
    }
}
