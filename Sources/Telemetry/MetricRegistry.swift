import Synchronization

/// Every metric of the process. Handles are looked up once (some 300 ns, under a lock) and then held by whoever
/// counts; the registry only reads them when it is scraped.
package final class MetricRegistry: Sendable {
    private enum Handle: Sendable {
        case counter(CounterHandle)
        case gauge(GaugeHandle)
    }

    private struct Family: Sendable {
        let help: String
        let kind: MetricFamily.Kind
        var series: [MetricLabels: Handle] = [:]
    }

    private struct State: Sendable {
        var families: [String: Family] = [:]
        var sources: [any MetricSource] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// The counter of that name and labels, made if new. A name that is in use for another kind gives a handle
    /// that is shown nowhere.
    package func counter(_ name: String, help: String, labels: MetricLabels = MetricLabels()) -> CounterHandle {
        guard case .counter(let handle) = series(name, help, .counter, labels, { .counter(CounterHandle()) }) else {
            return CounterHandle()
        }
        return handle
    }

    /// The gauge of that name and labels, made if new; see `counter` about kinds.
    package func gauge(_ name: String, help: String, labels: MetricLabels = MetricLabels()) -> GaugeHandle {
        guard case .gauge(let handle) = series(name, help, .gauge, labels, { .gauge(GaugeHandle()) }) else {
            return GaugeHandle()
        }
        return handle
    }

    /// Drops series; what their holders count from now on is shown nowhere.
    package func remove(_ name: String, where isUnwanted: (MetricLabels) -> Bool) {
        state.withLock { state in
            guard let family = state.families[name] else { return }
            for labels in family.series.keys where isUnwanted(labels) {
                state.families[name]?.series[labels] = nil
            }
        }
    }

    /// Adds metrics that `source` keeps itself; it is held for the registry's life.
    package func add(_ source: some MetricSource) {
        state.withLock { $0.sources.append(source) }
    }

    /// Every metric as it is now, sorted by name and labels.
    package func metricFamilies() -> [MetricFamily] {
        let (families, sources) = state.withLock { ($0.families, $0.sources) }
        let own = families.map { name, family in
            MetricFamily(
                name: name, help: family.help, kind: family.kind,
                samples: family.series.map { .init(labels: $0.key, value: Self.value(of: $0.value)) })
        }
        return (own + sources.flatMap { $0.metricFamilies() }).map(Self.sorted).sorted { $0.name < $1.name }
    }

    /// Every metric as text.
    package func text(_ format: Exposition) -> String { format.text(metricFamilies()) }

    private func series(
        _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ labels: MetricLabels, _ make: () -> Handle
    ) -> Handle? {
        state.withLock { state in
            if let family = state.families[name], family.kind != kind { return nil }
            if let handle = state.families[name]?.series[labels] { return handle }
            let handle = make()
            state.families[name, default: Family(help: help, kind: kind)].series[labels] = handle
            return handle
        }
    }

    private static func value(of handle: Handle) -> MetricFamily.Value {
        switch handle {
        case .counter(let handle): .integer(handle.value)
        case .gauge(let handle): .number(handle.value)
        }
    }

    private static func sorted(_ family: MetricFamily) -> MetricFamily {
        var family = family
        family.samples.sort { $0.labels.text < $1.labels.text }
        return family
    }
}
