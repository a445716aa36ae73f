package import CoreMetrics

/// Lets the metrics of libraries (swift-metrics) land in the registry, under names as Prometheus allows them.
package struct LibraryMetrics: MetricsFactory {
    private let registry: MetricRegistry

    package init(registry: MetricRegistry) { self.registry = registry }

    /// A counter of the registry, named with the suffix `_total`.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let name = Self.name(label, suffix: "_total")
        let labels = Self.labels(dimensions)
        return LibraryCounter(
            name: name, labels: labels, handle: registry.counter(name, help: "\(label), of a library.", labels: labels))
    }

    /// A summary of the registry if values are to be added up, else a gauge that shows the last one.
    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        let name = Self.name(label)
        let labels = Self.labels(dimensions)
        let help = "\(label), of a library."
        return aggregate
            ? LibraryRecorder(
                name: name, labels: labels, observer: .summary(registry.summary(name, help: help, labels: labels)))
            : LibraryRecorder(
                name: name, labels: labels, observer: .gauge(registry.gauge(name, help: help, labels: labels)))
    }

    /// A summary in seconds, whatever unit the library measures in.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = Self.name(label, suffix: "_seconds")
        let labels = Self.labels(dimensions)
        return LibraryTimer(
            name: name, labels: labels,
            handle: registry.summary(name, help: "\(label), of a library, in seconds.", labels: labels))
    }

    /// Takes the series off the registry when its last handle is gone.
    package func destroyCounter(_ handler: any CounterHandler) {
        if let handler = handler as? LibraryCounter { registry.release(handler.name, labels: handler.labels) }
    }

    /// Takes the series off the registry when its last handle is gone.
    package func destroyRecorder(_ handler: any RecorderHandler) {
        if let handler = handler as? LibraryRecorder { registry.release(handler.name, labels: handler.labels) }
    }

    /// Takes the series off the registry when its last handle is gone.
    package func destroyTimer(_ handler: any TimerHandler) {
        if let handler = handler as? LibraryTimer { registry.release(handler.name, labels: handler.labels) }
    }

    /// Letters, digits, `_` and `:`, not a digit first; everything else becomes `_`.
    static func name(_ label: String, suffix: String = "") -> String {
        var name = String(decoding: label.utf8.map { isAllowed($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        if name.isEmpty || name.utf8.first.map({ (48...57).contains($0) }) == true { name = "_" + name }
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    private static func labels(_ dimensions: [(String, String)]) -> MetricLabels {
        MetricLabels(dimensions.map { (name($0.0), $0.1) })
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

private final class LibraryCounter: CounterHandler {
    let name: String
    let labels: MetricLabels
    private let handle: CounterHandle

    init(name: String, labels: MetricLabels, handle: CounterHandle) {
        (self.name, self.labels, self.handle) = (name, labels, handle)
    }

    /// A negative amount would make a counter shrink and is ignored.
    func increment(by amount: Int64) {
        if let amount = UInt64(exactly: amount) { handle.increment(by: amount) }
    }

    func reset() { handle.reset() }
}

private final class LibraryRecorder: RecorderHandler {
    enum Observer: Sendable {
        case gauge(GaugeHandle)
        case summary(SummaryHandle)
    }

    let name: String
    let labels: MetricLabels
    private let observer: Observer

    init(name: String, labels: MetricLabels, observer: Observer) {
        (self.name, self.labels, self.observer) = (name, labels, observer)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        switch observer {
        case .gauge(let handle): handle.set(value)
        case .summary(let handle): handle.observe(value)
        }
    }
}

private final class LibraryTimer: TimerHandler {
    let name: String
    let labels: MetricLabels
    private let handle: SummaryHandle

    init(name: String, labels: MetricLabels, handle: SummaryHandle) {
        (self.name, self.labels, self.handle) = (name, labels, handle)
    }

    func recordNanoseconds(_ duration: Int64) { handle.observe(Double(duration) / 1e9) }
}
