internal import Synchronization

/// The place for one answer, which may come later and from any thread. If it is dropped, the one who waits is told so.
package final class PendingAnswer<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value?, Never>?>

    init(_ continuation: CheckedContinuation<Value?, Never>) {
        self.continuation = Mutex(continuation)
    }

    deinit {
        resume(nil)
    }

    /// Gives the answer; later ones are ignored.
    package func give(_ value: Value) {
        resume(value)
    }

    private func resume(_ value: Value?) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(returning: value)
    }

    /// Asks by `ask` and waits; nil if the question was dropped.
    static func waiting(_ ask: (PendingAnswer) -> Void) async -> Value? {
        await withCheckedContinuation { ask(PendingAnswer($0)) }
    }
}

/// Stands for a message that is being worked on; when the last reference is gone the next one may come.
package final class Receipt: Sendable {
    private let answer: PendingAnswer<Void>

    init(_ answer: PendingAnswer<Void>) {
        self.answer = answer
    }
}
