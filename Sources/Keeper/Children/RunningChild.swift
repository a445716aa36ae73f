internal import Kernel

/// A child that runs, watched for its end.
final class RunningChild: EventHandler {
    private let process: ChildProcess
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private let onExit: (ProcessExit) -> Void

    /// - Parameter onExit: called once, on the loop, after the child was reaped.
    init(
        _ process: consuming ChildProcess, loop: EventLoop, onExit: @escaping (ProcessExit) -> Void
    ) throws(SystemError) {
        self.process = process
        self.loop = loop
        self.onExit = onExit
        registration = try loop.register(self.process.descriptor.raw, .level, handler: self)
    }

    deinit {
        if let registration { loop.unregister(registration) }
    }

    var pid: Int32 { process.pid }

    func signal(_ signal: ProcessSignal) {
        process.signal(signal.number)
    }

    func ready(_ readiness: Readiness) {
        guard let registration else { return }
        do {
            guard let exit = try process.reap() else { return }
            self.registration = nil
            loop.unregister(registration)
            onExit(exit)
        } catch {
            // Somebody else reaped it: it has ended all the same, how is lost.
            self.registration = nil
            loop.unregister(registration)
            onExit(.exited(code: -1))
        }
    }
}

/// Calls a closure when its time has come.
final class TimerCall: TimerHandler {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) {
        self.body = body
    }

    func timerFired(at now: ContinuousClock.Instant) {
        body()
    }
}
