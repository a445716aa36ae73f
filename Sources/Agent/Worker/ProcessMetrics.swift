internal import Kernel
internal import Telemetry

/// What every program tells of itself: its memory, since when it runs, and which build it is.
final class ProcessMetrics: MetricSource {
    private let startedAt = WallClock.secondsSince1970

    func metricFamilies() -> [MetricFamily] {
        var families: [MetricFamily] = [
            .gauge(
                "process_start_time_seconds", help: "When the process was started, in seconds since 1970.",
                Double(startedAt)),
            .gauge(
                "meshnode_build_info", help: "The version that runs.",
                labels: MetricLabels([("version", MeshnodeVersion.current)]), 1),
        ]
        if let bytes = CurrentProcess.residentBytes() {
            families.append(
                .gauge("process_resident_memory_bytes", help: "Memory of the worker that is resident.", Double(bytes)))
        }
        return families
    }
}
