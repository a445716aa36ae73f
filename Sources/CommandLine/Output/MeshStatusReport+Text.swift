internal import Agent

extension MeshStatusReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let parts = [
            StatusHeading.text(version: version, trustDomain: trustDomain, time: time, elapsed: elapsed) + "\n",
            summary(palette), nodeTable(isWide), missingPods(isWide), refusedOfLate(isWide, palette),
            ProblemList.text(problems, .error, palette), ProblemList.text(problems, .warning, palette),
            ProblemList.text(manifestProblems), noteText, next,
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    var names: [String] { nodes.map { "node/\($0.name)" } }

    private func summary(_ palette: Palette) -> String {
        [
            SummaryRow.text(
                "Mesh", verdict.rawValue, ProblemList.counts(problems, manifestProblems), palette,
                StatusReport.mood(verdict)),
            SummaryRow.text("Controller", controller.state.rawValue, controllerText, palette, controllerMood),
            SummaryRow.text(
                "CA", certificateAuthority.state.rawValue, authorityText, palette,
                StatusReport.mood(certificateAuthority.state)),
            SummaryRow.text("Agents", "\(ready)/\(nodes.count) ready", agentsText, palette, agentsMood),
            SummaryRow.text("Workloads", podsWord, podsText, palette, podsMood),
            SummaryRow.text(
                "Traffic", traffic.windowSeconds == 60 ? "1m" : "\(traffic.windowSeconds)s", trafficText, palette, nil),
        ].joined()
    }

    // MARK: The controller and its authority

    private var controllerText: String {
        guard controller.reason.isEmpty else { return controller.reason }
        let place = controller.place.isEmpty ? "" : "\(controller.place), "
        let version = controller.snapshotVersion.map { "snapshot \($0)" } ?? "no snapshot"
        let age = controller.snapshotAgeSeconds.map { " (\(Quantity.span($0)) old)" } ?? ""
        return "\(place)\(version)\(age)"
    }

    private var controllerMood: Palette.Mood {
        switch controller.state {
        case .ok: .good
        case .lost: .bad
        case .unknown: .doubtful
        }
    }

    private var authorityText: String {
        guard certificateAuthority.reason.isEmpty else { return certificateAuthority.reason }
        let root = Quantity.expiry(of: certificateAuthority.rootExpires, at: time)
        let issuer = Quantity.left(until: certificateAuthority.issuerExpires, at: time)
        let rotation: String =
            switch certificateAuthority.rotation {
            case .trusting: ", new root trusted, not signing yet"
            case .signing: ", new root signs, old one still trusted"
            case .settled, nil: ""
            }
        return "root \(root), issuer in \(issuer)\(rotation)"
    }

    // MARK: The nodes

    private var ready: Int { nodes.count { $0.state == .ready } }

    private var agentsMood: Palette.Mood {
        if nodes.contains(where: { $0.state == .lost || $0.state == .notReady || $0.state == .restarting }) {
            return .bad
        }
        return ready == nodes.count ? .good : .doubtful
    }

    /// The first nodes that are not ready, and how many more.
    private var agentsText: String {
        let others = nodes.filter { $0.state != .ready }
        let shown = others.prefix(2).map { "\($0.name): \($0.reason.isEmpty ? "<unknown>" : $0.reason)" }
        let more = others.count > 2 ? ["\(others.count - 2) more"] : []
        return (shown + more).joined(separator: "; ")
    }

    private func sum(_ part: KeyPath<Node, Int?>) -> Int? {
        let known = nodes.compactMap { $0[keyPath: part] }
        return known.isEmpty ? nil : known.reduce(0, &+)
    }

    private var podsWord: String {
        "\(Quantity.exact(sum(\.capturedPods)))/\(Quantity.exact(sum(\.enrolledPods)))"
    }

    private var podsText: String {
        let unknown = nodes.count { $0.capturedPods == nil && $0.enrolledPods != 0 }
        let stale = nodes.count { $0.state == .lost && $0.capturedPods != nil }
        let age = stale == 0 ? "" : "; of \(stale) \(stale == 1 ? "node" : "nodes") as last heard"
        guard unknown > 0 else { return "enrolled pods captured\(age)" }
        return "enrolled pods captured; not known of \(unknown) \(unknown == 1 ? "node" : "nodes")\(age)"
    }

    private var podsMood: Palette.Mood {
        guard let captured = sum(\.capturedPods), let enrolled = sum(\.enrolledPods) else { return .doubtful }
        return captured == enrolled ? .good : .bad
    }

    private var trafficText: String {
        let rate = Quantity.rate(traffic.opened, over: traffic.windowSeconds)
        let secured = traffic.opened == 0 ? "" : "\(Quantity.share(traffic.mutualTLS, of: traffic.opened)) mTLS, "
        let failed = traffic.failed == 0 ? "" : ", \(Quantity.count(traffic.failed)) failed"
        let without = nodesWithoutTraffic == 0 ? "" : "; without \(nodesWithoutTraffic) of \(nodes.count) nodes"
        return "\(rate) conn/s, \(secured)\(Quantity.count(traffic.plaintext)) plaintext, "
            + "\(Quantity.count(traffic.denied)) denied\(failed)\(without)"
    }

    private func nodeTable(_ isWide: Bool) -> String {
        guard !nodes.isEmpty else { return "No nodes known.\n" }
        var headers = ["NODE", "AGENT", "VERSION", "PODS", "CONNS", "CERTS", "CONFIG", "RESTARTS", "RSS"]
        if isWide { headers += ["CONN/S", "PLAINTEXT", "DENIED", "FAILED", "HEARD"] }
        var table = Table(headers, gap: 2)
        for node in nodes {
            var cells = [
                node.name, node.state.rawValue, node.version ?? Quantity.unknown,
                "\(Quantity.exact(node.capturedPods))/\(Quantity.exact(node.enrolledPods))",
                Quantity.count(node.connections), node.certificateText,
                node.configurationVersion.map { "\($0)" } ?? Quantity.unknown, Quantity.exact(node.restarts),
                Quantity.bytes(node.residentBytes),
            ]
            if isWide { cells += node.trafficCells }
            table.append(cells)
        }
        return table.text
    }

    // MARK: What is not as it should be

    /// Pods that are to be captured and are not; ten of them unless all were asked for.
    private func missingPods(_ isWide: Bool) -> String {
        let missing = nodes.flatMap { node in node.missingPods.map { (node.name, $0) } }
        guard !missing.isEmpty else { return "" }
        let shown = isWide ? missing : Array(missing.prefix(10))
        var text = "NOT CAPTURED\n"
        for (node, pod) in shown {
            text += Paragraph.text(first: " ", indent: 8, "\(pod.pod) (\(node)): \(pod.reason)")
        }
        return shown.count < missing.count ? text + " ... \(missing.count - shown.count) more: -o wide\n" : text
    }

    /// The last refusals, where one node or everything was asked for.
    private func refusedOfLate(_ isWide: Bool, _ palette: Palette) -> String {
        guard isWide || nodes.count == 1 else { return "" }
        let all = nodes.flatMap { node in node.refusals.map { (node.name, $0) } }.sorted { $0.1.time < $1.1.time }
        guard !all.isEmpty else { return "" }
        var table = Table(["AGE", "NODE", "SOURCE", "DESTINATION", "REASON", "ID"], gap: 2)
        for (node, item) in all.suffix(10) {
            table.append([
                Quantity.age(of: item.time, at: time), node, ConnectionsReport.name(item.source),
                ConnectionsReport.target(of: item), item.reason, item.id,
            ])
        }
        return palette.paint("REFUSED OF LATE", .bad) + "\n" + table.text
    }

    private var noteText: String { note.isEmpty ? "" : Paragraph.text(first: "Note:", indent: 6, note) }

    /// Where to look next.
    private var next: String {
        let denied = (traffic.denied ?? 0) > 0
        if verdict == .ok {
            return denied
                ? "Next: meshnode connections --denied | meshnode explain --id ID\n"
                : "Next: meshnode edges | meshnode workloads | meshnode policies\n"
        }
        return "Next: meshnode check | meshnode diff | docs/troubleshooting.md\n"
    }
}

extension MeshStatusReport.Node {
    /// What it carried in the last minute, and how long ago it told.
    fileprivate var trafficCells: [String] {
        [
            Quantity.rate(traffic.opened, over: traffic.windowSeconds), Quantity.count(traffic.plaintext),
            Quantity.count(traffic.denied), Quantity.count(traffic.failed),
            silentSeconds.map { "\(Quantity.span($0)) ago" } ?? "never",
        ]
    }

    fileprivate var certificateText: String {
        guard let all = certificates, let valid = validCertificates else { return Quantity.unknown }
        return all == valid ? "\(all) ok" : "\(valid)/\(all)"
    }
}
