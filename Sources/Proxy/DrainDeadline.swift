internal import Kernel

/// The end of a drain's patience.
final class DrainDeadline: TimerHandler {
    let instant: ContinuousClock.Instant
    private let loop: EventLoop
    private var timer: TimerID?
    private let passed: () -> Void

    init(at instant: ContinuousClock.Instant, on loop: EventLoop, passed: @escaping () -> Void) {
        self.instant = instant
        self.loop = loop
        self.passed = passed
        timer = loop.schedule(at: instant, self)
    }

    func cancel() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    func timerFired(at now: ContinuousClock.Instant) {
        timer = nil
        passed()
    }
}
