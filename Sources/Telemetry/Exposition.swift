/// Metrics as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0.
package enum Exposition: Sendable {
    case prometheus
    case openMetrics

    /// What the format is called in `Content-Type`.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that a scraper's `Accept` header asks for; Prometheus text for whoever does not say.
    package init(acceptHeader: String?) {
        self = acceptHeader?.contains("application/openmetrics-text") == true ? .openMetrics : .prometheus
    }

    /// All of `families`, each with its HELP and TYPE; families without samples are left out.
    package func text(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families where !family.samples.isEmpty { append(family, to: &text) }
        if self == .openMetrics { text += "# EOF\n" }
        return text
    }

    private func append(_ family: MetricFamily, to text: inout String) {
        let name = displayName(of: family)
        text += "# HELP \(name) \(Self.escaped(family.help, quotes: self == .openMetrics))\n"
        text += "# TYPE \(name) \(family.kind.rawValue)\n"
        for sample in family.samples {
            switch sample.value {
            case .integer(let value):
                line(family.name, sample.labels, String(value), to: &text)
            case .number(let value):
                line(family.name, sample.labels, Self.number(value), to: &text)
            }
        }
    }

    /// OpenMetrics names the family of a counter without the `_total` of its samples.
    private func displayName(of family: MetricFamily) -> String {
        guard self == .openMetrics, family.kind == .counter, family.name.hasSuffix("_total") else { return family.name }
        return String(family.name.dropLast("_total".count))
    }

    private func line(_ name: String, _ labels: MetricLabels, _ value: String, to text: inout String) {
        text += name
        if !labels.text.isEmpty { text += "{\(labels.text)}" }
        text += " \(value)\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.description
    }

    /// Backslash and newline escaped, and quotation marks where they would end the value.
    static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
