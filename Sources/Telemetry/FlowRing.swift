package import Mesh
internal import Synchronization

/// One decision of the policies on a connection: enough to decide it again under others.
package struct Flow: Hashable, Sendable {
    package let facts: ConnectionFacts
    /// The workload that was connected to.
    package let destination: WorkloadUID
    /// Why it was refused; nil if it was allowed.
    package let reason: Reason?
    /// When, in seconds since 1970.
    package let secondsSince1970: Int64

    package init(facts: ConnectionFacts, destination: WorkloadUID, reason: Reason?, secondsSince1970: Int64) {
        self.facts = facts
        self.destination = destination
        self.reason = reason
        self.secondsSince1970 = secondsSince1970
    }
}

/// The last decisions, for questions such as "what would this policy have changed". Safe from any thread.
package final class FlowRing: Sendable {
    private struct State: Sendable {
        var flows: [Flow] = []
        /// Where the next goes once the ring is full.
        var next = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: how many are kept; at least 1.
    package init(capacity: Int = 256) { self.capacity = max(1, capacity) }

    /// Keeps `flow` in place of the oldest.
    package func append(_ flow: Flow) {
        state.withLock { state in
            if state.flows.count < capacity {
                state.flows.append(flow)
            } else {
                state.flows[state.next] = flow
                state.next = (state.next + 1) % capacity
            }
        }
    }

    /// All that is kept, the latest first.
    package var latest: [Flow] {
        state.withLock { state in
            Array((state.flows[state.next...] + state.flows[..<state.next]).reversed())
        }
    }
}
