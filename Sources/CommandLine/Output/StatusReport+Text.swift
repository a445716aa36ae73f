internal import Agent

extension StatusReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        let parts = [
            heading(elapsed) + "\n", summary(palette), nodeTable, missingPods(isWide),
            ProblemList.text(problems, .error, palette), ProblemList.text(problems, .warning, palette),
            ProblemList.text(manifestProblems), next,
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    var names: [String] { ["node/\(node)"] }

    private func heading(_ elapsed: Duration) -> String {
        StatusHeading.text(version: version, trustDomain: trustDomain, time: time, elapsed: elapsed)
    }

    private func summary(_ palette: Palette) -> String {
        [
            SummaryRow.text(
                "Mesh", verdict.rawValue, ProblemList.counts(problems, manifestProblems), palette, Self.mood(verdict)),
            SummaryRow.text(
                "Controller", controller.state.rawValue, controllerText, palette, Self.mood(controller.state)),
            SummaryRow.text(
                "CA", certificateAuthority.state.rawValue, authorityText, palette, Self.mood(certificateAuthority.state)
            ),
            SummaryRow.text(
                "Agent", agent.isReady ? "Ready" : "NotReady", agentText, palette, agent.isReady ? .good : .bad),
            SummaryRow.text("Workloads", captured, workloadsText, palette, capturedMood),
            SummaryRow.text(
                "Traffic", traffic.windowSeconds == 60 ? "1m" : "\(traffic.windowSeconds)s", trafficText, palette, .none
            ),
        ].joined()
    }

    private var controllerText: String {
        let version = controller.snapshotVersion.map { "snapshot \($0)" } ?? "no snapshot"
        let age = controller.snapshotAgeSeconds.map { " (\(Quantity.span($0)) old)" } ?? ""
        let source = controller.manifests.isEmpty ? controller.source : "\(controller.source), \(controller.manifests)"
        return "\(version)\(age), \(source)"
    }

    private var authorityText: String {
        guard certificateAuthority.reason.isEmpty else { return certificateAuthority.reason }
        let root = Quantity.expiry(of: certificateAuthority.rootExpires, at: time)
        let issuer = Quantity.left(until: certificateAuthority.issuerExpires, at: time)
        return "root \(root), issuer in \(issuer)"
    }

    private var agentText: String {
        let reason = agent.isReady ? "" : ": \(agent.notReadyReason.isEmpty ? "<unknown>" : agent.notReadyReason)"
        let loops = agent.loops.map { ", \($0) \($0 == 1 ? "loop" : "loops")" } ?? ""
        return "\(node)\(reason)\(loops), exempt by \(agent.exemptionMode.rawValue)"
    }

    private var captured: String { "\(Quantity.exact(pods.captured))/\(Quantity.exact(pods.enrolled))" }

    private var workloadsText: String {
        var text = "enrolled pods captured"
        if !pods.pending.isEmpty { text += ", \(pods.pending.count) pending" }
        if !pods.failed.isEmpty { text += ", \(pods.failed.count) failed" }
        if let older = pods.connectionsBeforeEnrolment, older > 0 {
            text += ", \(older) \(older == 1 ? "connection" : "connections") from before enrolment"
        }
        return text
    }

    private var capturedMood: Palette.Mood? {
        guard let captured = pods.captured, let enrolled = pods.enrolled else { return .doubtful }
        return captured == enrolled ? .good : .bad
    }

    private var trafficText: String {
        let rate = Quantity.rate(traffic.opened, over: traffic.windowSeconds)
        let secured = traffic.opened == 0 ? "" : "\(Quantity.share(traffic.mutualTLS, of: traffic.opened)) mTLS, "
        let failed = traffic.failed == 0 ? "" : ", \(Quantity.count(traffic.failed)) failed"
        return "\(rate) conn/s, \(secured)\(Quantity.count(traffic.plaintext)) plaintext, "
            + "\(Quantity.count(traffic.denied)) denied\(failed)"
    }

    private var nodeTable: String {
        var table = Table(["NODE", "AGENT", "VERSION", "PODS", "CONNS", "CERTS", "CONFIG", "RESTARTS", "RSS"], gap: 2)
        table.append([
            node, agent.isReady ? "Ready" : "NotReady", version, captured, Quantity.count(traffic.open), certificates,
            agent.configurationVersion.map { "\($0)" } ?? Quantity.unknown, Quantity.exact(agent.worker.restarts),
            Quantity.bytes(agent.residentBytes),
        ])
        return table.text
    }

    private var certificates: String {
        guard let all = certificateAuthority.certificates, let valid = certificateAuthority.validCertificates else {
            return Quantity.unknown
        }
        return all == valid ? "\(all) ok" : "\(valid)/\(all)"
    }
}

/// The first line of a status.
enum StatusHeading {
    static func text(version: String, trustDomain: String, time: Timestamp, elapsed: Duration) -> String {
        let (seconds, attoseconds) = elapsed.components
        let tenths = attoseconds / 100_000_000_000_000_000
        let domain = trustDomain.isEmpty ? "<unknown>" : Printable.text(trustDomain)
        return "meshnode \(Printable.text(version))   trust domain \(domain)   \(time)   \(seconds).\(tenths)s"
    }
}
