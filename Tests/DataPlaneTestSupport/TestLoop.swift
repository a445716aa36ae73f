import Dispatch
package import Kernel
import Testing

/// An event loop on a thread of its own, driven from a test's thread: what is done to it runs on the loop while the test
/// waits, so nothing is ever touched by two threads at once.
package final class TestLoop: @unchecked Sendable {
    // @unchecked: both members are written once.
    package let loop: EventLoop
    private let thread: LoopThread

    /// A test that waits longer has failed; far longer than anything takes on a busy machine.
    package static let patience = 20

    package init() throws {
        let loop = try EventLoop()
        self.loop = loop
        thread = LoopThread(name: "test-loop") {
            do { try loop.run() } catch { Issue.record(error) }
        }
        try thread.start()
    }

    /// Stops the loop and waits for its thread. Called once, last.
    package func end() {
        loop.stop()
        thread.join()
    }

    /// Does `body` on the loop, and returns when it is done.
    package func on<R>(_ body: @escaping () throws -> R) throws -> R {
        let call = Call(body)
        let box = Box { call.perform() }
        loop.post { box.value() }
        guard call.done.wait(timeout: .now() + .seconds(Self.patience)) == .success, let outcome = call.outcome else {
            throw TestTimeout(what: "a turn of the loop")
        }
        return try outcome.get()
    }

    private final class Call<R> {
        let done = DispatchSemaphore(value: 0)
        var outcome: Result<R, any Error>?
        private var body: (() throws -> R)?

        init(_ body: @escaping () throws -> R) { self.body = body }

        /// Lets go of what the body holds before the test goes on.
        func perform() {
            run()
            done.signal()
        }

        private func run() {
            guard let body else { return }
            self.body = nil
            outcome = Result(catching: body)
        }
    }

    /// Returns as soon as `condition`, looked at on the loop, holds; throws if it never does.
    package func wait(for what: String, until condition: @escaping () -> Bool) throws {
        let watch = Watch(loop: loop, condition: condition)
        try on { watch.look() }
        guard watch.done.wait(timeout: .now() + .seconds(Self.patience)) == .success else {
            try on { watch.isGivenUp = true }
            throw TestTimeout(what: what)
        }
    }

    private struct Box: @unchecked Sendable {
        // @unchecked: called once, while its maker waits.
        let value: () -> Void
        init(_ value: @escaping () -> Void) { self.value = value }
    }

    private final class Watch: TimerHandler {
        let done = DispatchSemaphore(value: 0)
        var isGivenUp = false
        private let loop: EventLoop
        private let condition: () -> Bool

        init(loop: EventLoop, condition: @escaping () -> Bool) {
            self.loop = loop
            self.condition = condition
        }

        func look() {
            if condition() {
                done.signal()
            } else if !isGivenUp {
                loop.schedule(at: .now + .milliseconds(1), self)
            }
        }

        func timerFired(at now: ContinuousClock.Instant) { look() }
    }
}

/// What a test waited for did not happen.
package struct TestTimeout: Error, CustomStringConvertible {
    package let what: String
    package var description: String { "\(what) did not happen within \(TestLoop.patience) s" }
}
