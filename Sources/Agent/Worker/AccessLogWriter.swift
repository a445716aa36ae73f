internal import Kernel
internal import Telemetry

/// Writes the access log to standard output from a thread of its own. A reader that is slow or stuck costs lines, which
/// are counted, and never time of the data path.
final class AccessLogWriter: Sendable {
    let ring: AccessLogRing
    private let loop: EventLoop
    private let format: AccessLog

    /// Records that wait for the writer.
    private static let capacity = 8192
    /// How long a record waits for others, so that many are written with one call.
    private static let patience: Duration = .milliseconds(50)

    init(_ format: AgentConfiguration.LogFormat) throws {
        let loop = try EventLoop()
        let batch = PendingBatch(loop)
        self.loop = loop
        self.format = AccessLog(format: format == .json ? .json : .text)
        ring = AccessLogRing(capacity: Self.capacity) { loop.post { batch.begin(after: Self.patience) } }
        let (ring, accessLog) = (ring, self.format)
        loop.post { batch.write = { Self.write(ring.drain(), accessLog) } }
    }

    func start() throws {
        let loop = loop
        try LoopThread(name: "access-log") { try? loop.run() }.start()
    }

    private static func write(_ batch: AccessLogRing.Batch, _ format: AccessLog) {
        StandardStream.output.write(format.lines(for: batch.records, dropped: batch.dropped))
    }
}

/// Records that are to be written soon.
private final class PendingBatch: TimerHandler, @unchecked Sendable {
    // @unchecked: touched only on the writer's loop.
    private let loop: EventLoop
    var write: () -> Void = {}

    init(_ loop: EventLoop) { self.loop = loop }

    /// Called for the first record after a batch was taken.
    func begin(after delay: Duration) {
        loop.schedule(after: delay, self)
    }

    func timerFired(at now: ContinuousClock.Instant) { write() }
}
