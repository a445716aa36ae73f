internal import Kernel
internal import Synchronization
internal import Telemetry

/// Writes the access log to standard output from a thread of its own. A reader that is slow or stuck costs lines, which
/// are counted, and never time of the data path.
final class AccessLogWriter: @unchecked Sendable {
    // @unchecked: `thread` is written once by `start`; all else is immutable or has its own lock.
    let ring: AccessLogRing
    private let format: AccessLog
    private let loop: EventLoop

    /// Records that wait for the writer.
    private static let capacity = 8192

    init(_ format: AgentConfiguration.LogFormat) throws {
        let loop = try EventLoop()
        let pending = PendingWrite()
        self.loop = loop
        self.format = AccessLog(format: format == .json ? .json : .text)
        ring = AccessLogRing(capacity: Self.capacity) { loop.post { pending.run() } }
        pending.set { [ring, format = self.format] in Self.write(ring.drain(), format) }
    }

    func start() throws {
        let loop = loop
        try LoopThread(name: "access-log") { try? loop.run() }.start()
    }

    private static func write(_ batch: AccessLogRing.Batch, _ format: AccessLog) {
        var text = ""
        for record in batch.records { text += format.line(for: record) + "\n" }
        if batch.dropped > 0 { text += format.line(forDropped: batch.dropped) + "\n" }
        StandardStream.output.write(Array(text.utf8))
    }
}

/// The work that waits for the ring which it reads from to exist.
private final class PendingWrite: Sendable {
    private let work = Mutex<(@Sendable () -> Void)?>(nil)

    func set(_ work: @escaping @Sendable () -> Void) {
        self.work.withLock { $0 = work }
    }

    func run() {
        work.withLock { $0 }?()
    }
}
