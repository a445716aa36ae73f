/// One metric at one moment: its name, what it means, and a value for each set of labels.
package struct MetricFamily: Hashable, Sendable {
    /// The types of the Prometheus text format that are used here.
    package enum Kind: String, Hashable, Sendable {
        case counter
        case gauge
    }

    /// The value of one series at the time of the scrape.
    package enum Value: Hashable, Sendable {
        case integer(UInt64)
        case number(Double)
    }

    /// One series and its value.
    package struct Sample: Hashable, Sendable {
        package let labels: MetricLabels
        package let value: Value

        package init(labels: MetricLabels, value: Value) {
            self.labels = labels
            self.value = value
        }
    }

    /// With `_total` at the end if it is a counter.
    package let name: String
    package let help: String
    package let kind: Kind
    package var samples: [Sample]

    package init(name: String, help: String, kind: Kind, samples: [Sample] = []) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }

    /// A gauge with one sample.
    package static func gauge(
        _ name: String, help: String, labels: MetricLabels = MetricLabels(), _ value: Double
    ) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .gauge, samples: [Sample(labels: labels, value: .number(value))])
    }
}

/// The labels of one series, in their order, and their text as both exposition formats have it.
package struct MetricLabels: Hashable, Sendable {
    package let pairs: [Pair]
    /// `a="b",c="d"`, escaped once when the series is made.
    let text: String

    /// One label, not escaped.
    package struct Pair: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    /// - Parameter pairs: names as Prometheus allows them; values are escaped here.
    package init(_ pairs: [(String, String)] = []) {
        self.pairs = pairs.map { Pair(name: $0.0, value: $0.1) }
        text = pairs.map { "\($0.0)=\"\(Exposition.escaped($0.1, quotes: true))\"" }.joined(separator: ",")
    }

    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.text == rhs.text }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// The value of the label `name`; nil if the series has none.
    package subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }
}

/// Whoever has metrics of its own to show besides those that the registry holds.
package protocol MetricSource: AnyObject, Sendable {
    /// The metrics as they are now; called from any thread.
    func metricFamilies() -> [MetricFamily]
}
