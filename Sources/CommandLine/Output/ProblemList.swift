internal import Agent

/// What is wrong, and what to do about it, as every status ends.
enum ProblemList {
    /// `1 error, 2 warnings`.
    static func counts(_ problems: [Problem], _ manifests: [ManifestProblem]) -> String {
        let errors = problems.count { $0.severity == .error } + manifests.count { $0.severity == .error }
        let warnings = problems.count + manifests.count - errors
        return "\(errors) \(errors == 1 ? "error" : "errors"), \(warnings) \(warnings == 1 ? "warning" : "warnings")"
    }

    /// The problems of one severity, under its heading; empty if there are none.
    static func text(_ problems: [Problem], _ severity: Problem.Severity, _ palette: Palette) -> String {
        let chosen = problems.filter { $0.severity == severity }
        guard !chosen.isEmpty else { return "" }
        let heading =
            switch severity {
            case .error: palette.paint("ERRORS", .bad)
            case .warning: palette.paint("WARNINGS", .doubtful)
            }
        return heading + "\n" + chosen.map { text(of: $0) }.joined()
    }

    private static func text(of problem: Problem) -> String {
        var text = "\(problem.object): \(problem.cause)"
        if !problem.effect.isEmpty { text += "; \(problem.effect)" }
        text = Paragraph.text(first: " \(Printable.text(problem.code.rawValue))", indent: 8, text)
        guard !problem.tryCommand.isEmpty else { return text }
        // On a line of its own, unbroken, so that it can be copied.
        return text + "        try: \(Printable.text(problem.tryCommand))\n"
    }

    /// What is wrong in the manifests, by file and line; empty if nothing is.
    static func text(_ problems: [ManifestProblem]) -> String {
        guard !problems.isEmpty else { return "" }
        return "MANIFESTS\n" + problems.map { text(of: $0) }.joined()
    }

    private static func text(of problem: ManifestProblem) -> String {
        let place = problem.line.map { "\(problem.file):\($0)" } ?? problem.file
        let object = problem.object.isEmpty ? "" : " \(problem.object)"
        let field = problem.field.isEmpty ? "" : " \(problem.field)"
        return Paragraph.text(
            first: " \(Printable.text(problem.code.rawValue))", indent: 8,
            "\(problem.severity.rawValue) \(place)\(object)\(field): \(problem.reason)")
    }
}
