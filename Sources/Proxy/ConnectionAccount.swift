internal import Addressing
internal import Mesh
internal import Telemetry

/// What one connection has to answer for: its record, and the bytes that were already counted.
struct ConnectionAccount {
    private(set) var record: ConnectionRecord
    private var counters: ConnectionCounters?
    private var counted = RelayedBytes()

    init(_ record: ConnectionRecord) {
        self.record = record
    }

    /// The record with the bytes carried so far.
    func current(_ bytes: RelayedBytes) -> ConnectionRecord {
        var record = record
        record.bytesReceived = bytes.sent
        record.bytesSent = bytes.received
        return record
    }

    // MARK: What is learned on the way

    mutating func routed(_ route: TunnelRoute, hostname: String?) {
        record.security = .mutualTLS
        record.destination = PeerFacts(
            address: route.application.address, workload: route.endpoint, identity: nil)
        record.hboneAddress = route.address.address
        record.service = route.service
        record.hostname = hostname
    }

    mutating func routed(_ route: PlaintextRoute, hostname: String?) {
        record.destination = PeerFacts(address: route.address.address, workload: route.workload, identity: nil)
        record.service = route.service
        record.hostname = hostname
        record.passthroughReason = route.cause
    }

    /// The client addressed `service`, and that is as far as it came.
    mutating func addressed(_ service: Service) {
        record.service = service.name
        record.hostname = service.hostname
    }

    mutating func destinationProved(_ identity: SPIFFEID?) {
        record.destination.identity = identity
    }

    mutating func judged(_ verdict: Verdict) {
        record.policy = verdict.accountablePolicy
    }

    mutating func blame(_ reason: Reason, _ detail: String) {
        record.reason = reason
        record.detail = detail
    }

    // MARK: Steps of its life

    mutating func opened(in journal: ConnectionJournal) {
        counters = journal.opened(record)
    }

    /// Counts the bytes that came since the last time.
    mutating func progressed(_ bytes: RelayedBytes, in journal: ConnectionJournal) {
        guard let counters, bytes.sent >= counted.sent, bytes.received >= counted.received, bytes != counted else {
            return
        }
        journal.carried(
            counters, towardsClient: bytes.received - counted.received, fromClient: bytes.sent - counted.sent)
        counted = bytes
    }

    mutating func closed(_ end: RelayEnd, _ bytes: RelayedBytes, at moment: Moment, in journal: ConnectionJournal) {
        progressed(bytes, in: journal)
        record = current(bytes)
        record.closedAt = moment
        if record.reason == nil, case .broken(let cause) = end {
            record.reason = .peerReset
            record.detail = cause.text
        }
        if let counters { journal.closed(record, counters) }
    }

    mutating func refused(at moment: Moment, in journal: ConnectionJournal) {
        record.closedAt = moment
        journal.refused(record)
    }
}

extension RelayBreak {
    /// As the log tells it.
    var text: String {
        switch self {
        case .clientReset: "the client reset the connection"
        case .serverReset: "the server reset the connection"
        case .tunnelLost: "the tunnel was lost"
        case .closedByUs: "closed by the agent"
        }
    }
}
