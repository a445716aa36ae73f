internal import Mesh
internal import Telemetry

/// A connection that the proxy knows of, from its first packet to its last.
protocol ProxiedConnection: AnyObject {
    var id: UInt64 { get }
    /// Bytes flow: it was accepted at both ends.
    var isOpen: Bool { get }
    /// Its record as of now.
    var current: ConnectionRecord { get }
    /// Adds the bytes carried since the last time to the metrics.
    func countBytes()
    /// Asks the policies again, and closes the connection if they now refuse it.
    func reevaluate()
    /// Ends it with a reset, for `reason`.
    func close(_ reason: Reason, _ detail: String)
}

/// A connection with an account of its own, which tells its record and counts its bytes.
protocol AccountedConnection: ProxiedConnection {
    var account: ConnectionAccount { get set }
    /// What was carried so far.
    var relayed: RelayedBytes { get }
    var proxy: ProxyLoop { get }
}

extension AccountedConnection {
    var current: ConnectionRecord { account.current(relayed) }

    func countBytes() { account.progressed(relayed, in: proxy.journal) }
}

/// A connection that reached a pod of this loop: the policies of the pod decide on it, at first and whenever they change.
protocol InboundConnection: AccountedConnection {
    var pod: LocalPod { get }
    /// What the policies are asked about.
    var facts: ConnectionFacts { get }
}

extension InboundConnection {
    func reevaluate() {
        guard let workload = pod.record else { return }
        let verdict = proxy.judge(facts, at: workload)
        guard !verdict.isAllowed else { return }
        account.judged(verdict)
        close(.policyChanged, "now refused: \(verdict.explanation.joined(separator: "; "))")
    }
}
