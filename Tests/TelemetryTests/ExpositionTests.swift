import Telemetry
import Testing

@Suite struct `Metrics as text` {
    let registry: MetricRegistry = {
        let registry = MetricRegistry()
        registry.counter("b_total", help: "Back\\slash and\nline \"end\".").increment(by: 3)
        registry.counter(
            "a_total", help: "A.", labels: MetricLabels([("x", "quote\" back\\ line\n é"), ("y", "")])
        ).increment()
        registry.counter("a_total", help: "A.", labels: MetricLabels([("x", "0"), ("y", "1")])).increment(by: .max)
        registry.gauge("g", help: "G.").set(1.5)
        return registry
    }()

    @Test func `follow the Prometheus format`() {
        #expect(
            registry.text(.prometheus) == #"""
                # HELP a_total A.
                # TYPE a_total counter
                a_total{x="0",y="1"} 18446744073709551615
                a_total{x="quote\" back\\ line\n é",y=""} 1
                # HELP b_total Back\\slash and\nline "end".
                # TYPE b_total counter
                b_total 3
                # HELP g G.
                # TYPE g gauge
                g 1.5

                """#)
    }

    @Test func `follow the OpenMetrics format`() {
        #expect(
            registry.text(.openMetrics) == #"""
                # HELP a A.
                # TYPE a counter
                a_total{x="0",y="1"} 18446744073709551615
                a_total{x="quote\" back\\ line\n é",y=""} 1
                # HELP b Back\\slash and\nline \"end\".
                # TYPE b counter
                b_total 3
                # HELP g G.
                # TYPE g gauge
                g 1.5
                # EOF

                """#)
    }

    @Test(arguments: [
        (Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (3, "3"), (0.5, "0.5"), (1e300, "1e+300"),
        (-0.25, "-0.25"),
    ])
    func `write numbers as scrapers read them`(number: Double, text: String) {
        let registry = MetricRegistry()
        registry.gauge("g", help: "G.").set(number)
        #expect(registry.text(.prometheus).hasSuffix("\ng \(text)\n"))
    }

    @Test func `come in the format that the scraper asks for`() {
        #expect(Exposition(acceptHeader: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5") == .openMetrics)
        #expect(Exposition(acceptHeader: "text/plain") == .prometheus)
        #expect(Exposition(acceptHeader: nil) == .prometheus)
        #expect(Exposition.prometheus.contentType.hasPrefix("text/plain; version=0.0.4"))
    }
}

@Suite struct `The metric registry` {
    @Test func `gives one handle for one name and label set`() {
        let registry = MetricRegistry()
        let labels = MetricLabels([("a", "b")])
        #expect(
            registry.counter("c_total", help: "", labels: labels)
                === registry.counter("c_total", help: "", labels: labels))
        #expect(registry.counter("c_total", help: "", labels: labels) !== registry.counter("c_total", help: ""))
    }

    @Test func `keeps a name to its kind`() {
        let registry = MetricRegistry()
        registry.counter("x", help: "").increment()
        registry.gauge("x", help: "").set(5)
        #expect(value("x", in: registry) == .integer(1))
    }

    @Test func `loses no increment of several threads`() async {
        let registry = MetricRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = registry.counter("c_total", help: "")
                    let gauge = registry.gauge("g", help: "")
                    for _ in 0..<10_000 {
                        counter.increment()
                        gauge.add(1)
                    }
                    gauge.add(-10_000)
                }
            }
        }
        #expect(value("c_total", in: registry) == .integer(80_000))
        #expect(value("g", in: registry) == .number(0))
    }
}
