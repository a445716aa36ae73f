internal import Mesh

/// What one loop knows of the endpoints it connects to: how many connections it has to each, and which ones fail.
///
/// A class, so that asking it for every connection hands on one reference; confined to its loop.
final class EndpointLoad: LoadView {
    private var active: [WorkloadUID: Int] = [:]
    private var health = EndpointHealth()
    /// Those that `health` remembers.
    private var failing: Set<WorkloadUID> = []
    /// As of when ejections are judged; set before each look.
    var now: ContinuousClock.Instant = .now

    func activeConnections(to endpoint: WorkloadUID) -> Int { active[endpoint] ?? 0 }

    func isEjected(_ endpoint: WorkloadUID) -> Bool { health.isEjected(endpoint, at: now) }

    func opened(to endpoint: WorkloadUID) {
        active[endpoint, default: 0] += 1
        health.connectSucceeded(to: endpoint)
        failing.remove(endpoint)
    }

    func closed(to endpoint: WorkloadUID) {
        guard let count = active[endpoint] else { return }
        active[endpoint] = count > 1 ? count - 1 : nil
    }

    func failed(to endpoint: WorkloadUID) {
        health.connectFailed(to: endpoint, at: now)
        failing.insert(endpoint)
    }

    /// Forgets what failed and left the mesh: a pod that takes its name later starts afresh.
    func forget(where isGone: (WorkloadUID) -> Bool) {
        for endpoint in failing where isGone(endpoint) {
            health.endpointRemoved(endpoint)
            failing.remove(endpoint)
        }
    }
}
