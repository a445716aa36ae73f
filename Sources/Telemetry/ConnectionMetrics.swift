package import Mesh
import Synchronization

/// The `istio_tcp_*` metrics and the gauge of open connections.
///
/// One set of labels is one group of five counters, looked up once per connection. A group goes when all pods of
/// its source or all pods of its destination went (`release`), so that label sets do not outlive what they name.
package final class ConnectionMetrics: MetricSource {
    /// The counters of one set of labels.
    final class Group: Sendable {
        let labels: MetricLabels
        let opened = CounterHandle()
        let closed = CounterHandle()
        let failed = CounterHandle()
        let sent = CounterHandle()
        let received = CounterHandle()
        /// False once it has been released.
        let isShown = Atomic(true)

        init(labels: MetricLabels) { self.labels = labels }
    }

    private struct Entry: Sendable {
        let group: Group
        /// Pods whose connections were counted here. An unknown pod keeps no group alive and lets none go.
        var sources: Set<WorkloadUID> = []
        var destinations: Set<WorkloadUID> = []

        /// Both pods of `record` are noted, as far as they are known.
        func knows(_ record: ConnectionRecord) -> Bool {
            (record.source.workload.map(sources.contains) ?? true)
                && (record.destination.workload.map(destinations.contains) ?? true)
        }
    }

    private struct State: Sendable {
        var entries: [ConnectionLabels: Entry] = [:]
        /// In which entries a pod is named.
        var entriesOfPod: [WorkloadUID: Set<ConnectionLabels>] = [:]
    }

    private let state = Mutex(State())
    private let outboundInTunnels: GaugeHandle
    private let outboundInPlaintext: GaugeHandle
    private let inboundInTunnels: GaugeHandle
    private let inboundInPlaintext: GaugeHandle

    /// - Parameter registry: where the metrics are shown.
    package init(registry: MetricRegistry) {
        func gauge(_ direction: ConnectionRecord.Direction, _ security: ConnectionRecord.Security) -> GaugeHandle {
            registry.gauge(
                "meshnode_connections", help: "Connections that are open now.",
                labels: MetricLabels([("direction", direction.rawValue), ("security", security.rawValue)]))
        }
        outboundInTunnels = gauge(.outbound, .mutualTLS)
        outboundInPlaintext = gauge(.outbound, .plaintext)
        inboundInTunnels = gauge(.inbound, .mutualTLS)
        inboundInPlaintext = gauge(.inbound, .plaintext)
        registry.add(self)
    }

    private func open(_ direction: ConnectionRecord.Direction, _ security: ConnectionRecord.Security) -> GaugeHandle {
        switch (direction, security) {
        case (.outbound, .mutualTLS): outboundInTunnels
        case (.outbound, .plaintext): outboundInPlaintext
        case (.inbound, .mutualTLS): inboundInTunnels
        case (.inbound, .plaintext): inboundInPlaintext
        }
    }

    /// A connection was established end to end. The caller keeps the counters until it calls `closed`.
    package func opened(_ record: ConnectionRecord) -> ConnectionCounters {
        let counters = ConnectionCounters(
            group: group(for: record, reason: nil), open: open(record.direction, record.security),
            isFlipped: record.direction == .outbound)
        counters.opened()
        return counters
    }

    /// An opened connection ended; call it once. One that was cut for a reason is counted under that reason's flag,
    /// unless its pods are gone.
    package func closed(_ record: ConnectionRecord, _ counters: ConnectionCounters) {
        counters.open.add(-1)
        guard record.reason != nil else {
            counters.group.closed.increment()
            return
        }
        groupIfAlive(for: record)?.closed.increment()
    }

    /// A connection was refused or could not be established; `opened` was never called for it.
    package func failed(_ record: ConnectionRecord) {
        group(for: record, reason: record.reason ?? .internal).failed.increment()
    }

    /// That pod is gone: forgets the label sets that only it kept. Connections that are still open go on counting
    /// into what is no longer shown.
    package func release(_ pod: WorkloadUID) {
        state.withLock { state in
            for labels in state.entriesOfPod.removeValue(forKey: pod) ?? [] {
                guard var entry = state.entries[labels] else { continue }
                let wasSource = entry.sources.remove(pod) != nil
                let wasDestination = entry.destinations.remove(pod) != nil
                if (wasSource && entry.sources.isEmpty) || (wasDestination && entry.destinations.isEmpty) {
                    Self.drop(labels, entry, from: &state)
                } else {
                    state.entries[labels] = entry
                }
            }
        }
    }

    /// Forgets whatever names a pod that is not alive; catches those that came back through a connection that ended
    /// after its pod.
    package func releaseAll(exceptPods isAlive: (WorkloadUID) -> Bool) {
        let gone = state.withLock { $0.entriesOfPod.keys.filter { !isAlive($0) } }
        for pod in gone { release(pod) }
    }

    /// How many label sets there are.
    var labelSetCount: Int { state.withLock { $0.entries.count } }

    private static func drop(_ labels: ConnectionLabels, _ entry: Entry, from state: inout State) {
        state.entries[labels] = nil
        entry.group.isShown.store(false, ordering: .relaxed)
        for other in entry.sources.union(entry.destinations) {
            state.entriesOfPod[other]?.remove(labels)
            if state.entriesOfPod[other]?.isEmpty == true { state.entriesOfPod[other] = nil }
        }
    }

    private func group(for record: ConnectionRecord, reason: Reason?) -> Group {
        let labels = ConnectionLabels(record, reason: reason)
        return state.withLock { Self.group(labels, record, in: &$0) }
    }

    /// Nil if a pod of the connection has no label set any more, as after its release.
    private func groupIfAlive(for record: ConnectionRecord) -> Group? {
        let labels = ConnectionLabels(record, reason: record.reason)
        return state.withLock { state in
            let pods = [record.source.workload, record.destination.workload].compactMap { $0 }
            guard pods.allSatisfy({ state.entriesOfPod[$0] != nil }) else { return nil }
            return Self.group(labels, record, in: &state)
        }
    }

    private static func group(_ labels: ConnectionLabels, _ record: ConnectionRecord, in state: inout State) -> Group {
        if let index = state.entries.index(forKey: labels), state.entries.values[index].knows(record) {
            return state.entries.values[index].group
        }
        var entry = state.entries[labels] ?? Entry(group: Group(labels: labels.metricLabels))
        if let pod = record.source.workload, entry.sources.insert(pod).inserted {
            state.entriesOfPod[pod, default: []].insert(labels)
        }
        if let pod = record.destination.workload, entry.destinations.insert(pod).inserted {
            state.entriesOfPod[pod, default: []].insert(labels)
        }
        state.entries[labels] = entry
        return entry.group
    }

    package func metricFamilies() -> [MetricFamily] {
        let groups = state.withLock { $0.entries.values.map(\.group) }
        // A label set under which connections only fail has no traffic to show, and the other way round.
        let failing = groups.filter { $0.failed.value > 0 }
        let carrying = groups.filter { $0.opened.value > 0 || $0.closed.value > 0 }
        func family(
            _ name: String, _ help: String, _ groups: [Group], _ counter: (Group) -> CounterHandle
        ) -> MetricFamily {
            MetricFamily(
                name: name, help: help, kind: .counter,
                samples: groups.map { .init(labels: $0.labels, value: .integer(counter($0).value)) })
        }
        return [
            family("istio_tcp_connections_opened_total", "Connections opened.", carrying, \.opened),
            family("istio_tcp_connections_closed_total", "Connections closed.", carrying, \.closed),
            family("istio_tcp_connections_failed_total", "Connections refused or not established.", failing, \.failed),
            family("istio_tcp_sent_bytes_total", "Bytes sent by the workload of the reporter.", carrying, \.sent),
            family(
                "istio_tcp_received_bytes_total", "Bytes received by the workload of the reporter.", carrying,
                \.received),
        ]
    }
}

/// The byte counters of one open connection; an addition costs about a nanosecond.
package struct ConnectionCounters: Sendable {
    let group: ConnectionMetrics.Group
    let open: GaugeHandle
    /// The source's reporter counts from the source's side: what it sends is what the proxy receives.
    let isFlipped: Bool

    fileprivate func opened() {
        group.opened.increment()
        open.add(1)
    }

    /// A connection with the same labels and between the same pods was opened; false, and nothing is counted, if these
    /// counters are not shown any more.
    package func openedAgain() -> Bool {
        guard group.isShown.load(ordering: .relaxed) else { return false }
        opened()
        return true
    }

    /// Bytes that went towards the client, as in `ConnectionRecord.bytesSent`.
    package func addSent(_ bytes: UInt64) { (isFlipped ? group.received : group.sent).increment(by: bytes) }

    /// Bytes that came from the client, as in `ConnectionRecord.bytesReceived`.
    package func addReceived(_ bytes: UInt64) { (isFlipped ? group.sent : group.received).increment(by: bytes) }
}
