internal import Agent

// The lower half of the status: what is wrong, and what to do about it.
extension StatusReport {
    /// Pods that are to be captured and are not; ten of them unless all were asked for.
    func missingPods(_ isWide: Bool) -> String {
        let missing = pods.failed.map { ("failed", $0) } + pods.pending.map { ("pending", $0) }
        guard !missing.isEmpty else { return "" }
        let shown = isWide ? missing : Array(missing.prefix(10))
        var text = "NOT CAPTURED\n"
        for (state, pod) in shown {
            text += Paragraph.text(first: " ", indent: 8, "\(pod.pod): \(state): \(pod.reason)")
        }
        return shown.count < missing.count ? text + " ... \(missing.count - shown.count) more: -o wide\n" : text
    }

    /// The problems of one severity, under its heading; empty if there are none.
    func problemList(_ severity: Problem.Severity, _ palette: Palette) -> String {
        let chosen = problems.filter { $0.severity == severity }
        guard !chosen.isEmpty else { return "" }
        let heading =
            switch severity {
            case .error: palette.paint("ERRORS", .bad)
            case .warning: palette.paint("WARNINGS", .doubtful)
            }
        return heading + "\n" + chosen.map(Self.text).joined()
    }

    private static func text(of problem: Problem) -> String {
        var text = "\(problem.object): \(problem.cause)"
        if !problem.effect.isEmpty { text += "; \(problem.effect)" }
        text = Paragraph.text(first: " \(Printable.text(problem.code.rawValue))", indent: 8, text)
        guard !problem.tryCommand.isEmpty else { return text }
        // On a line of its own, unbroken, so that it can be copied.
        return text + "        try: \(Printable.text(problem.tryCommand))\n"
    }

    /// What is wrong in the manifests, by file and line.
    var manifestList: String {
        guard !manifestProblems.isEmpty else { return "" }
        return "MANIFESTS\n" + manifestProblems.map(Self.text).joined()
    }

    private static func text(of problem: ManifestProblem) -> String {
        let place = problem.line.map { "\(problem.file):\($0)" } ?? problem.file
        let object = problem.object.isEmpty ? "" : " \(problem.object)"
        let field = problem.field.isEmpty ? "" : " \(problem.field)"
        return Paragraph.text(
            first: " \(Printable.text(problem.code.rawValue))", indent: 8,
            "\(problem.severity.rawValue) \(place)\(object)\(field): \(problem.reason)")
    }

    /// Where to look next.
    var next: String {
        verdict == .ok
            ? "Next: meshnode workloads | meshnode connections | meshnode policies\n"
            : "Next: meshnode workloads -o wide | meshnode connections | docs/problems.md\n"
    }

    func mood(_ verdict: Verdict) -> Palette.Mood {
        switch verdict {
        case .ok: .good
        case .starting: .doubtful
        case .degraded, .down: .bad
        }
    }

    func mood(_ state: ControllerStatus.State) -> Palette.Mood {
        switch state {
        case .connected: .good
        case .connecting, .unknown: .doubtful
        case .lost: .bad
        }
    }

    func mood(_ state: AuthorityStatus.State) -> Palette.Mood {
        switch state {
        case .ok: .good
        case .unknown: .doubtful
        case .failing: .bad
        }
    }
}
