internal import Addressing
internal import Telemetry

/// A connection's record on the heap. Changed only while one account refers to it; a pattern is never changed.
final class RecordBox {
    fileprivate(set) var record: ConnectionRecord
    /// What the last connection of this pattern counted with.
    fileprivate var handles: ConnectionHandles?

    init(_ record: ConnectionRecord) { self.record = record }

    func change(_ body: (inout ConnectionRecord) -> Void) { body(&record) }
}

/// What is an open connection's own in its record: all else it shares with other connections between the same ends, in
/// a pattern. A record takes 1.2 KiB, most of it names; what is its own takes a twentieth of that.
struct PackedRecord {
    private let pattern: RecordBox
    let id: UInt64
    private let snapshotVersion: UInt64
    /// Since the pattern's time.
    private let openedAfterNanoseconds: Int64
    /// In 32 bits, which last until 2106.
    private let openedSecondsSince1970: UInt32
    private let clientPort: UInt16

    /// - Parameter box: nobody else's; it may become a pattern.
    init(_ box: RecordBox, sharing patterns: RecordPatterns) {
        id = box.record.id
        let sincePattern = patterns.noTime.instant.duration(to: box.record.openedAt.instant).components
        openedAfterNanoseconds = sincePattern.seconds &* 1_000_000_000 &+ sincePattern.attoseconds / 1_000_000_000
        openedSecondsSince1970 = UInt32(clamping: box.record.openedAt.secondsSince1970)
        clientPort = box.record.source.address?.port ?? 0
        snapshotVersion = box.record.snapshotVersion
        box.record.id = 0
        box.record.openedAt = patterns.noTime
        box.record.source.address = box.record.source.address.map { SocketAddress($0.ip, 0) }
        box.record.snapshotVersion = 0
        pattern = patterns.pattern(like: box)
    }

    /// What the connection counts with: made by `make` of what the last one of the pattern counted with.
    func handles(_ make: (ConnectionHandles?) -> ConnectionHandles) -> ConnectionHandles {
        let handles = make(pattern.handles)
        pattern.handles = handles
        return handles
    }

    /// Whether nothing but what is their own differs.
    func sharesPattern(with other: PackedRecord) -> Bool { pattern === other.pattern }

    /// What it shares with others.
    var common: ConnectionRecord { _read { yield pattern.record } }

    /// Where its client is.
    var client: SocketAddress? {
        pattern.record.source.address.map { SocketAddress($0.ip, clientPort) }
    }

    /// When it began, to the nanosecond.
    var openedAt: Moment {
        Moment(
            instant: pattern.record.openedAt.instant.advanced(by: .nanoseconds(openedAfterNanoseconds)),
            secondsSince1970: Int64(openedSecondsSince1970))
    }

    /// The whole record, as it was packed.
    var record: ConnectionRecord {
        var record = pattern.record
        record.id = id
        record.openedAt = openedAt
        record.source.address = client
        record.snapshotVersion = snapshotVersion
        return record
    }
}

/// The patterns that open connections of one loop shared last. Confined to the loop.
///
/// Bounded: one that had to make room is kept by its connections alone.
final class RecordPatterns {
    /// What stands for the time in a pattern.
    fileprivate let noTime = Moment(instant: .now, secondsSince1970: 0)
    private var recent: [RecordBox?] = Array(repeating: nil, count: 64)

    /// The pattern that equals `box`, which becomes one if there is none.
    fileprivate func pattern(like box: RecordBox) -> RecordBox {
        var hasher = Hasher()
        hasher.combine(box.record.source.address)
        hasher.combine(box.record.destination.address)
        hasher.combine(box.record.direction)
        let place = Int(truncatingIfNeeded: UInt(bitPattern: hasher.finalize()) % UInt(recent.count))
        if let known = recent[place], known.record == box.record { return known }
        recent[place] = box
        return box
    }
}
