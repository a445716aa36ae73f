internal import Mesh
internal import Synchronization
package import Telemetry
internal import Transport
internal import Tunnel

/// What the loops of one worker share: how many connections each workload has, against the limits of its namespace, and
/// how much memory all of them take. Counts are exact over all loops, under a lock per workload that is taken when a
/// connection begins and ends. A share per loop would need no lock, and would refuse connections below the limit
/// whenever the kernel gives one loop more of them than another. Safe from any thread.
package final class LimitLedger: Sendable {
    private let accounts = Mutex<[WorkloadUID: WorkloadAccount]>([:])
    let memory: MemoryBudget
    /// What streams may be granted beyond the window that each begins with: an eighth of it.
    let windows: WindowBudget

    /// - Parameter memoryInBytes: what buffers and connections of all loops may take together; see `MemoryBudget`.
    package init(memoryInBytes: Int = MemoryBudget.standardInBytes) {
        memory = MemoryBudget(limitInBytes: memoryInBytes)
        windows = WindowBudget(limitInBytes: memoryInBytes / 8)
    }

    /// The account of a workload of this node; the same for all loops.
    func account(of uid: WorkloadUID) -> WorkloadAccount {
        accounts.withLock { accounts in
            if let known = accounts[uid] { return known }
            let account = WorkloadAccount()
            accounts[uid] = account
            return account
        }
    }

    /// A loop has no use for `account` any more. Whoever else holds it may go on with it; one that was made meanwhile,
    /// for a pod that came back, stays.
    func forget(_ uid: WorkloadUID, _ account: WorkloadAccount) {
        accounts.withLock { accounts in
            if accounts[uid] === account { accounts[uid] = nil }
        }
    }
}

extension LimitLedger: MetricSource {
    /// The memory of connections, and its limit.
    package func metricFamilies() -> [MetricFamily] {
        [
            .gauge(
                "meshnode_connection_memory_bytes", help: "Memory of connections, tunnels and their buffers.",
                Double(memory.usedInBytes)),
            .gauge(
                "meshnode_connection_memory_limit_bytes",
                help: "The most that meshnode_connection_memory_bytes may be before new connections are refused.",
                Double(memory.limitInBytes)),
        ]
    }
}

/// What one workload has open, in both directions together.
final class WorkloadAccount: Sendable {
    private struct State: Sendable {
        var openCount = 0
        var streams: [SPIFFEID: Int] = [:]
        var rate: TokenBucket?
        /// What `rate` was made for.
        var perSecond = 0

        /// One second's worth may come at once.
        mutating func mayBegin(perSecond: Int, at now: ContinuousClock.Instant) -> Bool {
            if rate == nil || self.perSecond != perSecond {
                self.perSecond = perSecond
                rate = TokenBucket(burst: Double(max(1, perSecond)), perSecond: Double(perSecond))
            }
            return rate?.take(at: now) ?? true
        }
    }

    private let state = Mutex(State())

    /// Connections that it has open or on the way.
    var openCount: Int { state.withLock { $0.openCount } }

    /// Takes in one connection, or says which limit it would break.
    ///
    /// - Parameter peer: whose streams are counted; nil for a connection that is no stream of a peer's.
    func admit(
        _ limits: ConnectionLimits, peer: SPIFFEID?, at now: ContinuousClock.Instant
    ) -> Result<Admission, LimitReached> {
        let reached = state.withLock { state -> LimitReached? in
            if let most = limits.connectionsPerWorkload, state.openCount >= most {
                return LimitReached(.limitConnections, most)
            }
            if let most = limits.streamsPerPeer, let peer, state.streams[peer] ?? 0 >= most {
                return LimitReached(.limitStreams, most)
            }
            if let most = limits.newConnectionsPerSecond, !state.mayBegin(perSecond: most, at: now) {
                return LimitReached(.limitRate, most)
            }
            state.openCount += 1
            if let peer { state.streams[peer, default: 0] += 1 }
            return nil
        }
        if let reached { return .failure(reached) }
        return .success(Admission(account: self, peer: peer))
    }

    fileprivate func left(_ peer: SPIFFEID?) {
        state.withLock { state in
            state.openCount -= 1
            guard let peer, let count = state.streams[peer] else { return }
            state.streams[peer] = count > 1 ? count - 1 : nil
        }
    }
}

/// One connection's place in its workload's account; to be left once.
struct Admission {
    fileprivate let account: WorkloadAccount
    fileprivate let peer: SPIFFEID?

    func leave() { account.left(peer) }
}

/// A limit that a connection would have broken.
struct LimitReached: Error, Hashable, Sendable {
    let reason: Reason
    let limit: Int

    init(_ reason: Reason, _ limit: Int) {
        self.reason = reason
        self.limit = limit
    }

    /// For the log: what is limited, and where that is written.
    func text(of workload: Workload) -> String {
        let source = "as the MeshPolicy of namespace \(workload.namespace) says"
        return switch reason {
        case .limitConnections: "\(workload.uid) may have \(limit) connections open at once, \(source)"
        case .limitStreams: "one peer may have \(limit) streams to \(workload.uid) at once, \(source)"
        case .limitRate: "\(workload.uid) may have \(limit) new connections per second, \(source)"
        default: MemoryBudget.text(of: limit)
        }
    }
}
