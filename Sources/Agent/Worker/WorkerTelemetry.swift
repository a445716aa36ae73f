internal import Keeper
internal import Kernel
internal import Mesh
internal import Proxy
internal import Telemetry

/// What the worker tells of itself and of its connections: metrics, access log, refusals, traffic of the last minute.
final class WorkerTelemetry: Sendable {
    let registry = MetricRegistry()
    let agentMetrics: AgentMetrics
    let connectionMetrics: ConnectionMetrics
    let journal: ConnectionJournal
    let refusals: RefusalRing
    let traffic = TrafficWindow()
    /// Who talks to whom.
    var edges: EdgeTable { journal.edges }
    /// The last decisions.
    var flows: FlowRing { journal.flows }

    /// Refused connections that are kept to be asked about.
    private static let keptRefusals = 1024

    init(accessLog: AccessLogWriter, log: ProcessLog) {
        agentMetrics = AgentMetrics(registry: registry)
        connectionMetrics = ConnectionMetrics(registry: registry)
        refusals = RefusalRing(capacity: Self.keptRefusals)
        journal = ConnectionJournal(
            metrics: connectionMetrics, agentMetrics: agentMetrics, log: accessLog.ring,
            refusals: refusals
        ) { log.write(.warning, $0) }
    }

    /// Forgets the label sets of pods and policies that are gone, which would be kept for ever otherwise.
    func releaseMetrics(exceptPods isAlive: (WorkloadUID) -> Bool, exceptPolicies isInForce: (NamespacedName) -> Bool) {
        connectionMetrics.releaseAll(exceptPods: isAlive)
        agentMetrics.releaseAll(exceptPolicies: isInForce)
    }

    func keeperTold(restarts: UInt64, repairs: UInt64) {
        agentMetrics.workerRestarts.raise(to: restarts)
        agentMetrics.captureRepairs.raise(to: repairs)
    }

    func podsChanged(_ states: [PodState]) {
        for state in [PodState.pending, .captured, .failed] {
            agentMetrics.podsCounted(states.count { $0 == state }, in: "\(state)")
        }
    }
}

extension CounterHandle {
    /// Brings a counter that is kept elsewhere up to date.
    fileprivate func raise(to total: UInt64) {
        if total > value { increment(by: total - value) }
    }
}
