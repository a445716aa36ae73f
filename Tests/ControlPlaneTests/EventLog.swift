import Foundation
import Synchronization

/// What happened, in order, for a test to wait on.
final class EventLog<Event: Sendable>: Sendable {
    private struct Waiter {
        var id: UUID
        var test: @Sendable (Event) -> Bool
        var continuation: CheckedContinuation<Event, any Error>
    }

    private struct State {
        var events: [Event] = []
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    func append(_ event: Event) {
        let waiters = state.withLock { state in
            state.events.append(event)
            let matching = state.waiters.filter { $0.test(event) }
            state.waiters.removeAll { $0.test(event) }
            return matching
        }
        for waiter in waiters { waiter.continuation.resume(returning: event) }
    }

    /// The first event that passes `test`, of those that happened or of those to come. Throws when the test is cancelled,
    /// as its time limit does.
    func first(where test: @escaping @Sendable (Event) -> Bool) async throws -> Event {
        let id = UUID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<Event, any Error>? in
                    if let event = state.events.first(where: test) { return .success(event) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters.append(Waiter(id: id, test: test, continuation: continuation))
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let waiters = state.withLock { state in
                let cancelled = state.waiters.filter { $0.id == id }
                state.waiters.removeAll { $0.id == id }
                return cancelled
            }
            for waiter in waiters { waiter.continuation.resume(throwing: CancellationError()) }
        }
    }

    var all: [Event] { state.withLock { $0.events } }
}
