package import Kernel

/// Drives a directory source on an event loop and tells its owner of every update.
///
/// Confined to the loop's thread; between `start` and `stop` the loop holds it.
package final class DirectoryDriver: EventHandler, TimerHandler {
    private let source: DirectorySource
    private let loop: EventLoop
    private let onUpdate: (DirectoryUpdate) -> Void
    private var registration: EventLoop.Registration?
    private var timer: TimerID?

    /// - Parameter onUpdate: called on the loop, first from within `start`.
    package init(_ source: DirectorySource, loop: EventLoop, onUpdate: @escaping (DirectoryUpdate) -> Void) {
        self.source = source
        self.loop = loop
        self.onUpdate = onUpdate
    }

    /// Reads the directory, tells of it, and goes on watching.
    /// - Throws: if epoll refuses the descriptor.
    package func start() throws(SystemError) {
        try register()
        onUpdate(source.load())
    }

    /// Ends it; nothing is told any more.
    package func stop() {
        unregister()
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    package func ready(_ readiness: Readiness) {
        schedule(source.filesChanged(at: loop.now))
    }

    package func timerFired(at now: ContinuousClock.Instant) {
        timer = nil
        // The source may replace its descriptor, which epoll must have forgotten by then.
        unregister()
        let (update, next) = source.deadlineReached(at: now)
        do {
            try register()
            schedule(next)
        } catch {
            schedule(now + DirectorySource.retryInterval)
        }
        if let update { onUpdate(update) }
    }

    private func register() throws(SystemError) {
        guard let descriptor = source.descriptor else { return }
        registration = try loop.register(descriptor, .level, handler: self)
    }

    private func unregister() {
        if let registration { loop.unregister(registration) }
        registration = nil
    }

    private func schedule(_ deadline: ContinuousClock.Instant?) {
        guard let deadline else { return }
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: deadline, self)
    }
}
