internal import Synchronization

/// Calls a closure when the last of several has reported; they may report from any thread.
final class Countdown: Sendable {
    private let remaining: Mutex<Int>
    private let done: @Sendable () -> Void

    init(_ count: Int, _ done: @escaping @Sendable () -> Void) {
        remaining = Mutex(count)
        self.done = done
    }

    func countDown() {
        let isLast = remaining.withLock { remaining in
            remaining -= 1
            return remaining == 0
        }
        if isLast { done() }
    }
}
