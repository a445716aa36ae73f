/// Told when its time has come.
package protocol TimerHandler: AnyObject {
    func timerFired(at now: ContinuousClock.Instant)
}

/// Names one scheduled timer; a stale one is ignored.
package struct TimerID: Hashable, Sendable {
    fileprivate let number: UInt64
}

/// Timers ordered by deadline: a binary heap. Cancelled ones stay until their time comes or until they are
/// most of the heap.
struct TimerQueue {
    private struct Entry {
        var deadline: ContinuousClock.Instant
        var number: UInt64
    }

    private var heap: [Entry] = []
    private var handlers: [UInt64: any TimerHandler] = [:]
    private var nextNumber: UInt64 = 0

    /// How many wait.
    var count: Int { handlers.count }

    /// When the next one is due; may be that of a cancelled one.
    var nextDeadline: ContinuousClock.Instant? { heap.first?.deadline }

    mutating func insert(deadline: ContinuousClock.Instant, handler: any TimerHandler) -> TimerID {
        nextNumber += 1
        handlers[nextNumber] = handler
        heap.append(Entry(deadline: deadline, number: nextNumber))
        siftUp(from: heap.count - 1)
        return TimerID(number: nextNumber)
    }

    mutating func cancel(_ timer: TimerID) {
        guard handlers.removeValue(forKey: timer.number) != nil else { return }
        if heap.count > 64, heap.count > handlers.count * 2 { rebuild() }
    }

    /// The handler of the earliest timer that is due at `now`, which is thereby done; nil if none is.
    mutating func popExpired(at now: ContinuousClock.Instant) -> (any TimerHandler)? {
        while let first = heap.first, first.deadline <= now {
            removeFirst()
            if let handler = handlers.removeValue(forKey: first.number) { return handler }
        }
        return nil
    }

    private mutating func rebuild() {
        heap = heap.filter { handlers[$0.number] != nil }
        heap.sort { $0.deadline < $1.deadline }
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown()
    }

    private mutating func siftUp(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].deadline < heap[least].deadline {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
