internal import Mesh
internal import Synchronization

/// Who talks to whom on this node: one row for each pair of workloads, bounded. Safe from any thread; what is counted
/// per byte is an atomic addition on a handle that the connection holds.
package final class EdgeTable: Sendable {
    /// The counters of one edge; held by its open connections, also after the edge has left the table.
    final class Counters: Sendable {
        let open = Atomic<Int>(0)
        let openedWithMutualTLS = Atomic<UInt64>(0)
        let openedInPlaintext = Atomic<UInt64>(0)
        let bytesFromClient = Atomic<UInt64>(0)
        let bytesFromServer = Atomic<UInt64>(0)
        let lastSeen: Atomic<Int64>
        /// False once the edge has left the table.
        let isListed = Atomic(true)

        init(lastSeen: Int64) { self.lastSeen = Atomic(lastSeen) }
    }

    fileprivate struct Row: Sendable {
        /// Without what `counters` count.
        var edge: Edge
        let counters: Counters

        var isOpen: Bool { counters.open.load(ordering: .relaxed) > 0 }
        var lastSeen: Int64 { counters.lastSeen.load(ordering: .relaxed) }

        var current: Edge {
            var edge = edge
            edge.openCount = counters.open.load(ordering: .relaxed)
            edge.openedWithMutualTLS = counters.openedWithMutualTLS.load(ordering: .relaxed)
            edge.openedInPlaintext = counters.openedInPlaintext.load(ordering: .relaxed)
            edge.bytesFromClient = counters.bytesFromClient.load(ordering: .relaxed)
            edge.bytesFromServer = counters.bytesFromServer.load(ordering: .relaxed)
            edge.lastSeen = lastSeen
            return edge
        }
    }

    private let capacity: Int
    private let rows = Mutex<[Edge.Key: Row]>([:])

    /// - Parameter capacity: pairs that are kept; at least 16. Beyond it the least recently seen leave.
    package init(capacity: Int = 4096) { self.capacity = max(16, capacity) }

    /// Every edge as it is now, in no order.
    package var edges: [Edge] { rows.withLock { rows in rows.values.map(\.current) } }

    /// Edges that are kept.
    package var count: Int { rows.withLock { $0.count } }

    /// A connection was opened end to end. The caller counts with the handle, and calls `closed` on it once.
    package func opened(_ record: ConnectionRecord) -> EdgeHandle {
        let counters = update(record, at: record.openedAt) { edge in
            if let cause = record.passthroughReason { edge.plaintextCause = cause }
        }
        counters.opened(record.security)
        return EdgeHandle(counters: counters)
    }

    /// A connection was refused, or one that had been open was cut for a reason.
    package func refused(_ record: ConnectionRecord) {
        guard let reason = record.reason else { return }
        _ = update(record, at: record.closedAt ?? record.openedAt) { edge in
            edge.refusals[reason, default: 0] &+= 1
            edge.lastRefusalPolicy = record.policy
        }
    }

    /// Forgets edges whose last connection ended before `moment` (seconds since 1970) and that have none open.
    package func forget(before moment: Int64) {
        rows.withLock { rows in
            rows = rows.filter { row in
                let stays = row.value.isOpen || row.value.lastSeen >= moment
                if !stays { row.value.counters.isListed.store(false, ordering: .relaxed) }
                return stays
            }
        }
    }

    private func update(_ record: ConnectionRecord, at moment: Moment, _ change: (inout Edge) -> Void) -> Counters {
        let key = Edge.Key(record)
        let now = moment.secondsSince1970
        return rows.withLock { rows in
            // In place where it is known: hashing the key's names is what this costs.
            if let index = rows.index(forKey: key) { return rows.values[index].update(record, at: now, change) }
            if rows.count >= capacity { Self.makeRoom(in: &rows, capacity: capacity) }
            var row = Row(edge: Edge(key: key, firstSeen: now, lastSeen: now), counters: Counters(lastSeen: now))
            let counters = row.update(record, at: now, change)
            rows[key] = row
            return counters
        }
    }

    /// Lets a sixteenth go at once, so that the search costs little per connection: those without connections first,
    /// then by when they were seen last.
    private static func makeRoom(in rows: inout [Edge.Key: Row], capacity: Int) {
        let order = rows.map { (key: $0.key, isOpen: $0.value.isOpen, lastSeen: $0.value.lastSeen) }.sorted {
            $0.isOpen == $1.isOpen ? $0.lastSeen < $1.lastSeen : !$0.isOpen
        }
        for entry in order.prefix(max(1, capacity / 16)) {
            rows.removeValue(forKey: entry.key)?.counters.isListed.store(false, ordering: .relaxed)
        }
    }
}

extension EdgeTable.Row {
    fileprivate mutating func update(
        _ record: ConnectionRecord, at now: Int64, _ change: (inout Edge) -> Void
    ) -> EdgeTable.Counters {
        if let identity = record.source.identity { edge.sourceIdentity = identity }
        if let identity = record.destination.identity { edge.destinationIdentity = identity }
        change(&edge)
        counters.saw(now)
        return counters
    }
}

extension EdgeTable.Counters {
    fileprivate func saw(_ now: Int64) { lastSeen.max(now, ordering: .relaxed) }

    fileprivate func opened(_ security: ConnectionRecord.Security) {
        switch security {
        case .mutualTLS: openedWithMutualTLS.wrappingAdd(1, ordering: .relaxed)
        case .plaintext: openedInPlaintext.wrappingAdd(1, ordering: .relaxed)
        }
        open.wrappingAdd(1, ordering: .relaxed)
    }
}

/// One open connection's share of its edge.
package struct EdgeHandle: Sendable {
    let counters: EdgeTable.Counters

    /// Another connection of the edge, between the same identities and carried the same way, was opened; false, and
    /// nothing is counted, if the edge is not listed any more.
    ///
    /// - Parameter now: seconds since 1970.
    package func openedAgain(_ security: ConnectionRecord.Security, at now: Int64) -> Bool {
        guard counters.isListed.load(ordering: .relaxed) else { return false }
        counters.opened(security)
        counters.saw(now)
        return true
    }

    /// Bytes that were carried since the last time.
    ///
    /// - Parameter now: seconds since 1970.
    package func carried(fromClient: UInt64, fromServer: UInt64, at now: Int64) {
        counters.bytesFromClient.wrappingAdd(fromClient, ordering: .relaxed)
        counters.bytesFromServer.wrappingAdd(fromServer, ordering: .relaxed)
        counters.saw(now)
    }

    /// The connection ended; called once.
    package func closed(at now: Int64) {
        counters.open.wrappingSubtract(1, ordering: .relaxed)
        counters.saw(now)
    }
}
