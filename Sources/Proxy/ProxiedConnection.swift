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
    /// Certificates, roots or revocations changed: closes the connection if its ends do not trust each other any more
    /// and no tunnel between them looks after that.
    func reviewTrust()
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

extension ProxiedConnection {
    func reviewTrust() {}
}

extension AccountedConnection {
    var id: UInt64 { account.id }

    /// Takes its place against the limits of `workload`; why there is none, or nil.
    func admit(to pod: LocalPod, _ workload: Workload, peer: SPIFFEID?) -> (reason: Reason, detail: String)? {
        switch proxy.admit(to: pod, workload, peer: peer) {
        case .success(let admission):
            account.admitted(admission)
            return nil
        case .failure(let reached):
            return (reached.reason, reached.text(of: workload))
        }
    }

    var current: ConnectionRecord { account.current(relayed) }

    func countBytes() { account.progressed(relayed, at: proxy.moment, in: proxy.journal) }
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
        account.judged(verdict, on: facts, snapshotVersion: proxy.snapshot.version)
        close(.policyChanged, "now refused: \(verdict.explanation.joined(separator: "; "))")
    }

    /// Asks policies and limits about a connection that begins; why it is refused, or nil.
    func admit(at workload: Workload, peer: SPIFFEID?) -> (reason: Reason, detail: String)? {
        let verdict = proxy.decide(facts, at: workload, of: pod)
        account.judged(verdict, on: facts, snapshotVersion: proxy.snapshot.version)
        guard verdict.isAllowed else {
            return (verdict.reason ?? .internal, verdict.explanation.joined(separator: "; "))
        }
        return admit(to: pod, workload, peer: peer)
    }
}
