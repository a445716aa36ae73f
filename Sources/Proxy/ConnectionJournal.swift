internal import Mesh
internal import Synchronization
package import Telemetry
internal import Transport
internal import Tunnel

/// Where all loops write what happened to connections: metrics, access log, and the last refusals. Safe from any
/// thread; nothing in it waits for a reader.
package final class ConnectionJournal: Sendable {
    /// How many connections were opened and refused since the start.
    package struct Totals: Hashable, Sendable {
        /// Opened in a tunnel, either direction.
        package var openedWithMutualTLS: UInt64 = 0
        /// Opened outside tunnels: passthrough, and clients without a mesh under PERMISSIVE.
        package var openedInPlaintext: UInt64 = 0
        /// Of those that were opened, how many have ended.
        package var closed: UInt64 = 0
        /// Refused by policy, identity or STRICT.
        package var denied: UInt64 = 0
        /// Could not be carried for another reason.
        package var failed: UInt64 = 0
        /// Bytes towards clients and from them, of closed connections and of open ones as far as told.
        package var sentBytes: UInt64 = 0
        /// Bytes from servers to clients, counted as `sentBytes` is.
        package var receivedBytes: UInt64 = 0

        package init(
            openedWithMutualTLS: UInt64 = 0, openedInPlaintext: UInt64 = 0, closed: UInt64 = 0, denied: UInt64 = 0,
            failed: UInt64 = 0, sentBytes: UInt64 = 0, receivedBytes: UInt64 = 0
        ) {
            self.openedWithMutualTLS = openedWithMutualTLS
            self.openedInPlaintext = openedInPlaintext
            self.closed = closed
            self.denied = denied
            self.failed = failed
            self.sentBytes = sentBytes
            self.receivedBytes = receivedBytes
        }

        /// Open now.
        package var open: UInt64 { openedWithMutualTLS &+ openedInPlaintext &- closed }
    }

    private let metrics: ConnectionMetrics
    private let agentMetrics: AgentMetrics
    private let log: AccessLogRing
    private let refusals: RefusalRing
    /// Who talks to whom.
    package let edges: EdgeTable
    /// What the policies decided last.
    package let flows: FlowRing
    private let writeNote: @Sendable (String) -> Void
    private let totals = Mutex(Totals())

    /// - Parameter note: takes a line for the agent's log about the data path itself.
    package init(
        metrics: ConnectionMetrics, agentMetrics: AgentMetrics, log: AccessLogRing, refusals: RefusalRing,
        edges: EdgeTable = EdgeTable(), flows: FlowRing = FlowRing(), note: @escaping @Sendable (String) -> Void
    ) {
        self.metrics = metrics
        self.agentMetrics = agentMetrics
        self.log = log
        self.refusals = refusals
        self.edges = edges
        self.flows = flows
        writeNote = note
        agentMetrics.expectAbuse(of: AbuseKind.allCases.map(\.rawValue))
    }

    /// Totals since the start.
    package var total: Totals { totals.withLock { $0 } }

    func note(_ text: String) { writeNote(text) }

    /// The policies decided about a connection that begins.
    func decided(_ judgement: Judgement, _ flow: Flow) {
        for counter in judgement.counters { counter.increment() }
        flows.append(flow)
    }

    /// `verdict`, with what it counts with.
    func judgement(_ verdict: Verdict) -> Judgement {
        Judgement(verdict: verdict, counters: agentMetrics.counters(of: verdict))
    }

    /// A tunnel was ended because of what its peer does with HTTP/2.
    func abused(_ failure: TunnelFailure) {
        guard let kind = failure.abuse else { return }
        agentMetrics.peerAbusedHTTP2(kind: kind.rawValue)
        note("\(failure.peer?.description ?? "a peer") abuses HTTP/2: \(failure.detail)")
    }

    /// - Parameter known: the handles of a connection that differed in nothing but its number, its time and its port.
    func opened(_ record: ConnectionRecord, like known: ConnectionHandles?) -> ConnectionHandles {
        totals.withLock { totals in
            switch record.security {
            case .mutualTLS: totals.openedWithMutualTLS += 1
            case .plaintext: totals.openedInPlaintext += 1
            }
        }
        guard let known else {
            return ConnectionHandles(counters: metrics.opened(record), edge: edges.opened(record))
        }
        let isCounted = known.counters.openedAgain()
        let isListed = known.edge.openedAgain(record.security, at: record.openedAt.secondsSince1970)
        if isCounted, isListed { return known }
        return ConnectionHandles(
            counters: isCounted ? known.counters : metrics.opened(record),
            edge: isListed ? known.edge : edges.opened(record))
    }

    func carried(
        _ handles: ConnectionHandles, towardsClient sent: UInt64, fromClient received: UInt64, at moment: Moment
    ) {
        handles.counters.addSent(sent)
        handles.counters.addReceived(received)
        handles.edge.carried(fromClient: received, fromServer: sent, at: moment.secondsSince1970)
        totals.withLock { totals in
            totals.sentBytes &+= sent
            totals.receivedBytes &+= received
        }
    }

    func closed(_ record: ConnectionRecord, _ handles: ConnectionHandles) {
        totals.withLock { $0.closed += 1 }
        metrics.closed(record, handles.counters)
        handles.edge.closed(at: (record.closedAt ?? record.openedAt).secondsSince1970)
        edges.refused(record)
        log.append(record)
        refusals.append(record)
    }

    func refused(_ record: ConnectionRecord) {
        totals.withLock { totals in
            if record.reason?.isDenial ?? false { totals.denied += 1 } else { totals.failed += 1 }
        }
        metrics.failed(record)
        edges.refused(record)
        log.append(record)
        refusals.append(record)
    }
}

/// What an open connection counts with; the same for all of one kind.
final class ConnectionHandles {
    let counters: ConnectionCounters
    let edge: EdgeHandle

    init(counters: ConnectionCounters, edge: EdgeHandle) {
        self.counters = counters
        self.edge = edge
    }
}

extension Reason {
    /// Somebody decided that it must not be, as opposed to: it could not be.
    var isDenial: Bool {
        switch self {
        case .policyDeny, .noAllowMatch, .policyChanged, .plaintextRefused, .peerNotMTLS, .trustDomainMismatch,
            .sanMismatch,
            .certificateExpired, .certificateNotYetValid, .certificateRevoked, .notConnect, .badAuthority,
            .destinationMismatch, .selfCall, .notFromWaypoint, .egressDenied, .h2Abuse:
            true
        case .certificateUnavailable, .unknownSource, .unknownDestination, .noHealthyUpstream, .upstreamRefused,
            .upstreamTimeout, .limitConnections, .limitRate, .limitStreams, .limitMemory, .drain, .peerReset, .internal:
            false
        }
    }
}
