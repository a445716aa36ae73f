import Synchronization

/// Between those who have something to log and the one who writes it: bounded, so that a slow reader of the log costs
/// lines and never memory or time. Any thread may add; adding never waits for the writer.
package final class AccessLogRing: Sendable {
    /// What waits to be written, and how many more there would have been.
    package struct Batch: Sendable {
        package var records: [ConnectionRecord] = []
        /// Records that found the ring full since the last batch.
        package var dropped: UInt64 = 0
    }

    private let capacity: Int
    private let wakeWriter: @Sendable () -> Void
    private let batch = Mutex(Batch())
    private let totalDropped = CounterHandle()

    /// - Parameters:
    ///   - capacity: how many records may wait.
    ///   - wakeWriter: called, outside any lock, when there is something to write after there was nothing; must
    ///     return at once.
    package init(capacity: Int, wakeWriter: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.wakeWriter = wakeWriter
    }

    /// Adds one record, or counts it as dropped when the ring is full.
    package func append(_ record: ConnectionRecord) {
        let wasEmpty = batch.withLock { batch in
            guard batch.records.count < capacity else {
                batch.dropped &+= 1
                totalDropped.increment()
                return false
            }
            batch.records.append(record)
            return batch.records.count == 1
        }
        if wasEmpty { wakeWriter() }
    }

    /// Takes all that waits, oldest first; for the one writer.
    package func drain() -> Batch {
        batch.withLock { batch in
            let taken = batch
            batch = Batch()
            return taken
        }
    }

    /// Records dropped since the start.
    package var dropped: UInt64 { totalDropped.value }
}

/// The last connections that were refused or cut, for `meshnode connections` and `explain --id`.
package final class RefusalRing: Sendable {
    private struct State: Sendable {
        var records: [ConnectionRecord] = []
        /// Where the next goes once the ring is full.
        var next = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: how many are kept; at least 1.
    package init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Keeps `record` in place of the oldest. Those without a reason are not refusals and are ignored.
    package func append(_ record: ConnectionRecord) {
        guard record.reason != nil else { return }
        state.withLock { state in
            if state.records.count < capacity {
                state.records.append(record)
            } else {
                state.records[state.next] = record
                state.next = (state.next + 1) % capacity
            }
        }
    }

    /// All that is kept, the latest first.
    package var latest: [ConnectionRecord] {
        state.withLock { state in
            Array((state.records[state.next...] + state.records[..<state.next]).reversed())
        }
    }

    /// The refusal with that id, if it is still kept.
    package func record(id: UInt64) -> ConnectionRecord? {
        state.withLock { state in state.records.last { $0.id == id } }
    }
}
