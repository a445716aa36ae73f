internal import Kernel

/// Calls a closure again and again on an event loop.
final class Ticker: TimerHandler {
    private let loop: EventLoop
    private let interval: Duration
    private let body: () -> Void
    private var timer: TimerID?

    init(loop: EventLoop, interval: Duration, _ body: @escaping () -> Void) {
        self.loop = loop
        self.interval = interval
        self.body = body
    }

    func start() {
        timer = loop.schedule(after: interval, self)
    }

    func stop() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    func timerFired(at now: ContinuousClock.Instant) {
        timer = loop.schedule(after: interval, self)
        body()
    }
}
