import Synchronization

/// What happened, in order, for a test to wait on.
final class EventLog<Event: Sendable>: Sendable {
    private struct Waiter {
        var test: @Sendable (Event) -> Bool
        var continuation: CheckedContinuation<Event, Never>
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

    /// The first event that passes `test`, of those that happened or of those to come.
    func first(where test: @escaping @Sendable (Event) -> Bool) async -> Event {
        await withCheckedContinuation { continuation in
            let found = state.withLock { state -> Event? in
                if let event = state.events.first(where: test) { return event }
                state.waiters.append(Waiter(test: test, continuation: continuation))
                return nil
            }
            if let found { continuation.resume(returning: found) }
        }
    }

    var all: [Event] { state.withLock { $0.events } }
}
