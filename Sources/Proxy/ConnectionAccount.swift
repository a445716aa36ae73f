internal import Addressing
internal import Mesh
internal import Telemetry
internal import Transport

/// What one connection has to answer for: its record, and the bytes that were already counted.
///
/// While the connection is open and nothing happens to it, the record is packed: thousands of idle connections are kept.
struct ConnectionAccount {
    private enum Storage {
        case whole(RecordBox)
        case packed(PackedRecord)
    }

    private var handles: ConnectionHandles?
    /// Its place against the limits of its workload; left when it ends.
    private var admission: Admission?
    private var counted = RelayedBytes()
    // Last, where what follows an account has room behind it.
    private var storage: Storage

    init(_ record: ConnectionRecord) {
        storage = .whole(RecordBox(record))
    }

    /// As far as it is known by now.
    var record: ConnectionRecord {
        switch storage {
        case .whole(let box): box.record
        case .packed(let packed): packed.record
        }
    }

    // Parts of the record, for which not all of it is made.

    /// The connection's number.
    var id: UInt64 {
        switch storage {
        case .whole(let box): box.record.id
        case .packed(let packed): packed.id
        }
    }

    /// Where the client connected to; nil if nobody noted it.
    var requested: SocketAddress? { place.requested }

    /// What is at the other end, as far as known.
    var destination: SocketAddress? { place.destination.address }

    /// Who is there.
    var destinationWorkload: WorkloadUID? { place.destination.workload }

    /// The client addressed a service.
    var isToService: Bool { place.service != nil }

    /// How it is carried.
    var security: ConnectionRecord.Security { place.security }

    /// Where the client is.
    var client: SocketAddress? {
        switch storage {
        case .whole(let box): box.record.source.address
        case .packed(let packed): packed.client
        }
    }

    /// When it began.
    var openedAt: Moment {
        switch storage {
        case .whole(let box): box.record.openedAt
        case .packed(let packed): packed.openedAt
        }
    }

    /// The record without what is its own.
    private var place: ConnectionRecord {
        _read {
            switch storage {
            case .whole(let box): yield box.record
            case .packed(let packed): yield packed.common
            }
        }
    }

    private mutating func change(_ body: (inout ConnectionRecord) -> Void) {
        switch storage {
        case .whole(let box): box.change(body)
        case .packed(let packed):
            let box = RecordBox(packed.record)
            box.change(body)
            storage = .whole(box)
        }
    }

    /// The record with the bytes carried so far.
    func current(_ bytes: RelayedBytes) -> ConnectionRecord {
        var record = record
        record.bytesReceived = bytes.sent
        record.bytesSent = bytes.received
        return record
    }

    // MARK: What is learned on the way

    mutating func requested(_ destination: OriginalDestination) {
        change { $0.requested = destination.address }
    }

    /// A way is looked for on that version of the mesh's state.
    mutating func routing(snapshotVersion: UInt64) {
        change { $0.snapshotVersion = snapshotVersion }
    }

    mutating func routed(_ route: TunnelRoute, hostname: String?) {
        change { record in
            record.security = .mutualTLS
            record.destination = PeerFacts(
                address: route.application.address, workload: route.endpoint, identity: nil)
            record.hboneAddress = route.address.address
            record.isSameNode = false
            record.service = route.service
            record.hostname = hostname
        }
    }

    mutating func routed(_ route: PlaintextRoute, hostname: String?) {
        change { record in
            record.destination = PeerFacts(address: route.address.address, workload: route.workload, identity: nil)
            record.service = route.service
            record.hostname = hostname
            record.passthroughReason = route.cause
        }
    }

    /// The way that was routed is not taken through a tunnel, as both ends are here.
    mutating func joining(as destination: SPIFFEID) {
        change { record in
            record.isSameNode = true
            record.hboneAddress = nil
            record.destination.identity = destination
        }
    }

    /// The client addressed `service`, and that is as far as it came.
    mutating func addressed(_ service: Service) {
        change { record in
            record.service = service.name
            record.hostname = service.hostname
        }
    }

    mutating func destinationProved(_ identity: SPIFFEID?) {
        change { $0.destination.identity = identity }
    }

    /// The policies were asked about `facts`, on that version of the mesh's state.
    mutating func judged(_ verdict: Verdict, on facts: ConnectionFacts, snapshotVersion: UInt64) {
        change { record in
            record.policy = verdict.accountablePolicy
            record.facts = facts
            record.snapshotVersion = snapshotVersion
            record.audited = verdict.audited
            record.dryRun = verdict.dryRun
        }
    }

    mutating func admitted(_ admission: Admission) {
        self.admission = admission
    }

    mutating func blame(_ reason: Reason, _ detail: String) {
        change { record in
            record.reason = reason
            record.detail = detail
        }
    }

    // MARK: Steps of its life

    /// - Parameter patterns: those of the connection's loop.
    mutating func opened(in journal: ConnectionJournal, sharing patterns: RecordPatterns) {
        guard case .whole(let box) = storage else { return }
        let record = box.record
        let packed = PackedRecord(box, sharing: patterns)
        handles = packed.handles { journal.opened(record, like: $0) }
        storage = .packed(packed)
    }

    /// Counts the bytes that came since the last time.
    mutating func progressed(_ bytes: RelayedBytes, at moment: Moment, in journal: ConnectionJournal) {
        guard let handles, bytes.sent >= counted.sent, bytes.received >= counted.received, bytes != counted else {
            return
        }
        journal.carried(
            handles, towardsClient: bytes.received - counted.received, fromClient: bytes.sent - counted.sent,
            at: moment)
        counted = bytes
    }

    mutating func closed(_ end: RelayEnd, _ bytes: RelayedBytes, at moment: Moment, in journal: ConnectionJournal) {
        progressed(bytes, at: moment, in: journal)
        leave()
        var record = current(bytes)
        record.closedAt = moment
        if record.reason == nil, case .broken(let cause) = end {
            record.reason = cause.reason
            record.detail = cause.text
        }
        storage = .whole(RecordBox(record))
        if let handles { journal.closed(record, handles) }
    }

    mutating func refused(at moment: Moment, in journal: ConnectionJournal) {
        leave()
        change { $0.closedAt = moment }
        journal.refused(record)
    }

    private mutating func leave() {
        admission?.leave()
        admission = nil
    }
}

extension RelayBreak {
    /// As the log and the metrics name it.
    var reason: Reason {
        if case .tunnelLost(let failure) = self { failure.reason } else { .peerReset }
    }

    /// As the log tells it.
    var text: String {
        switch self {
        case .clientReset: "the client reset the connection"
        case .serverReset: "the server reset the connection"
        case .tunnelLost(let failure): failure.detail
        case .closedByUs: "closed by the agent"
        }
    }
}
