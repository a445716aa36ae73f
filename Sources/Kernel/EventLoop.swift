internal import CLinux
internal import Glibc
internal import Synchronization

/// What an event loop tells of a descriptor.
package protocol EventHandler: AnyObject {
    /// Called on the loop with what epoll reported. With edge-triggered registration each condition is told
    /// once: the handler reads or writes until the call would block, and remembers `peerClosed`, `hangUp` and
    /// `error`, because no further edge comes for a FIN that is already queued.
    func ready(_ readiness: Readiness)
}

/// What epoll_wait(2) reports of one descriptor.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    package static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// The peer sent FIN (EPOLLRDHUP).
    package static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
    /// Both directions are closed, or a RST came (EPOLLHUP).
    package static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
    package static let error = Readiness(rawValue: EPOLLERR.rawValue)

    /// Whether any of the bits of `other` is set. What the standard library makes of a literal of several members costs
    /// more than the rest of an event, so they are named one by one.
    package func has(_ one: Readiness, or other: Readiness) -> Bool {
        rawValue & (one.rawValue | other.rawValue) != 0
    }
}

/// Work that is done once after each batch of events: one seal and one send per tunnel, however many
/// streams had something to say.
package protocol BatchFinisher: AnyObject {
    /// Called on the loop after the batch in which it was asked for.
    func batchEnded()
}

/// An epoll loop on one thread: descriptors, timers, and wake-ups from other threads.
///
/// Everything but `post` and `stop` is called on the loop's thread. The loop owns no descriptors: each
/// registration is withdrawn by its owner before the descriptor is closed.
package final class EventLoop: @unchecked Sendable {
    // @unchecked: all state but `inbox` is confined to the thread that calls `run`; `inbox` has its lock.

    /// How the readiness of a descriptor is told.
    package enum Trigger: Sendable {
        /// Once per change, readable, writable and peerClosed alike (EPOLLET): connections.
        case edge
        /// As long as it holds, readable only: control descriptors.
        case level
        /// As `level`, and of the loops that wait on the same listener only some are woken (EPOLLEXCLUSIVE).
        case exclusiveListener
    }

    /// Names one registration; a stale one is ignored.
    package struct Registration: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Slot {
        var handler: (any EventHandler)?
        var generation: UInt32 = 0
        var descriptor: Int32 = -1
    }

    private struct Inbox {
        var work: [@Sendable () -> Void] = []
        var isStopped = false
    }

    private let epoll: Descriptor
    private let wakeUp: Descriptor
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var timers = TimerQueue()
    private var finishers: [any BatchFinisher] = []
    private var unfinished: [any EventHandler] = []
    private let inbox = Mutex(Inbox())
    private var isRunning = false

    /// The time as of the current batch of events.
    package private(set) var now: ContinuousClock.Instant = .now

    /// Makes the epoll instance and the descriptor that wakes it.
    /// - Throws: EMFILE or ENFILE if descriptors are short.
    package init() throws(SystemError) {
        epoll = Descriptor(owning: try retrying("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        wakeUp = Descriptor(
            owning: try retrying("eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) })
        var event = unsafe epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: Self.wakeUpKey))
        let (epollNumber, wakeUpNumber) = (epoll.raw, wakeUp.raw)
        try retrying("epoll_ctl") { unsafe epoll_ctl(epollNumber, EPOLL_CTL_ADD, wakeUpNumber, &event) }
    }

    private static let wakeUpKey = UInt64.max

    // MARK: Descriptors

    /// Watches `descriptor` for `handler`, which is held until `unregister`.
    package func register(
        _ descriptor: Int32, _ trigger: Trigger, handler: any EventHandler
    ) throws(SystemError) -> Registration {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(truncatingIfNeeded: slots.count)
            // By a quarter, not to twice as many: thousands of them are idle connections.
            if slots.count == slots.capacity { slots.reserveCapacity(slots.count + max(64, slots.count / 4)) }
            slots.append(Slot())
        }
        slots[Int(slot)].handler = handler
        slots[Int(slot)].descriptor = descriptor
        let registration = Registration(slot: slot, generation: slots[Int(slot)].generation)
        do {
            try control(EPOLL_CTL_ADD, descriptor, Self.events(trigger), registration)
        } catch {
            release(slot: Int(slot))
            throw error
        }
        return registration
    }

    /// Stops watching; called before the descriptor is closed. Harmless if already done.
    package func unregister(_ registration: Registration) {
        let slot = Int(registration.slot)
        guard slots.indices.contains(slot), slots[slot].generation == registration.generation,
            slots[slot].handler != nil
        else { return }
        var unused = unsafe epoll_event()
        unsafe epoll_ctl(epoll.raw, EPOLL_CTL_DEL, slots[slot].descriptor, &unused)
        release(slot: slot)
    }

    /// As `unregister`, for a descriptor that its owner closes right after and that nobody else has: the kernel forgets
    /// it by itself (epoll(7)), at no call. If somebody still has it, what the kernel tells of it is ignored.
    package func forget(_ registration: Registration) {
        let slot = Int(registration.slot)
        guard slots.indices.contains(slot), slots[slot].generation == registration.generation,
            slots[slot].handler != nil
        else { return }
        release(slot: slot)
    }

    private func release(slot: Int) {
        slots[slot].handler = nil
        slots[slot].descriptor = -1
        slots[slot].generation &+= 1
        freeSlots.append(UInt32(truncatingIfNeeded: slot))
    }

    private static func events(_ trigger: Trigger) -> UInt32 {
        switch trigger {
        case .edge: EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        case .level: EPOLLIN.rawValue
        case .exclusiveListener: EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue
        }
    }

    private func control(
        _ operation: Int32, _ descriptor: Int32, _ events: UInt32, _ registration: Registration
    ) throws(SystemError) {
        let key = UInt64(registration.slot) | UInt64(registration.generation) << 32
        var event = unsafe epoll_event(events: events, data: epoll_data(u64: key))
        let number = epoll.raw
        try retrying("epoll_ctl") { unsafe epoll_ctl(number, operation, descriptor, &event) }
    }

    // MARK: Timers and batches

    /// Calls `handler` at `deadline` or soon after. One use; cancel it if it is no longer wanted.
    @discardableResult
    package func schedule(at deadline: ContinuousClock.Instant, _ handler: any TimerHandler) -> TimerID {
        timers.insert(deadline: deadline, handler: handler)
    }

    /// Calls `handler` after `delay`, counted from the current batch.
    @discardableResult
    package func schedule(after delay: Duration, _ handler: any TimerHandler) -> TimerID {
        schedule(at: now + delay, handler)
    }

    /// Harmless if it has fired or was cancelled before.
    package func cancel(_ timer: TimerID) {
        timers.cancel(timer)
    }

    /// Calls `finisher` once when the current batch of events ends. The caller makes sure to ask once per batch.
    package func afterBatch(_ finisher: any BatchFinisher) {
        finishers.append(finisher)
    }

    /// Calls `handler.ready([])` in the next turn, before the loop sleeps: for one that still has bytes to
    /// read but has had its share of this turn.
    package func nextTurn(_ handler: any EventHandler) {
        unfinished.append(handler)
    }

    // MARK: From other threads

    /// Runs `work` on the loop soon. May be called from any thread.
    package func post(_ work: @escaping @Sendable () -> Void) {
        let isFirst = inbox.withLock { inbox in
            inbox.work.append(work)
            return inbox.work.count == 1
        }
        if isFirst { wake() }
    }

    /// Ends `run` after the current batch. May be called from any thread.
    package func stop() {
        inbox.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        unsafe write(wakeUp.raw, &one, 8)
    }

    // MARK: Running

    /// Serves until `stop`. Called once, on the thread that becomes the loop's.
    package func run() throws(SystemError) {
        let capacity = 512
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        defer { unsafe events.deallocate() }
        while !inbox.withLock({ $0.isStopped }) {
            let number = epoll.raw
            let timeout = timeoutInMilliseconds()
            let count = try retrying("epoll_wait") {
                unsafe epoll_wait(number, events, Int32(capacity), timeout)
            }
            now = .now
            let continued = unfinished
            unfinished.removeAll()
            for index in 0..<Int(count) {
                let event = unsafe events[index]
                unsafe dispatch(key: event.data.u64, Readiness(rawValue: event.events))
            }
            for handler in continued { handler.ready([]) }
            fireTimers()
            finishBatch()
        }
    }

    private func timeoutInMilliseconds() -> Int32 {
        if !unfinished.isEmpty { return 0 }
        guard let deadline = timers.nextDeadline else { return -1 }
        let wait = ContinuousClock.now.duration(to: deadline)
        if wait <= .zero { return 0 }
        let (seconds, attoseconds) = wait.components
        let milliseconds = min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000 + 1
        return Int32(truncatingIfNeeded: milliseconds)
    }

    private func dispatch(key: UInt64, _ readiness: Readiness) {
        guard key != Self.wakeUpKey else {
            drainInbox()
            return
        }
        let slot = Int(UInt32(truncatingIfNeeded: key))
        let generation = UInt32(truncatingIfNeeded: key >> 32)
        guard slots.indices.contains(slot), slots[slot].generation == generation else { return }
        slots[slot].handler?.ready(readiness)
    }

    private func drainInbox() {
        var count: UInt64 = 0
        unsafe read(wakeUp.raw, &count, 8)
        let work = inbox.withLock { inbox in
            let work = inbox.work
            inbox.work.removeAll()
            return work
        }
        for item in work { item() }
    }

    private func fireTimers() {
        while let handler = timers.popExpired(at: now) {
            handler.timerFired(at: now)
        }
    }

    private func finishBatch() {
        var index = 0
        while index < finishers.count {
            finishers[index].batchEnded()
            index += 1
        }
        finishers.removeAll(keepingCapacity: true)
    }
}
