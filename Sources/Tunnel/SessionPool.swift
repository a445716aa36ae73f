package import Mesh

/// Which session carries a new stream, and when another is dialled: the pool of one event loop, without I/O.
///
/// At most one dial per key is in flight; who wants a stream meanwhile waits for it, or for a place that becomes
/// free earlier. For each key:
///
///     dialling ──dialed──> ready ──goAwayReceived──> draining ──sessionClosed──> gone
///         └──dialFailed──> gone: all who wait fail with its reason
///
/// Who waits implies that a dial is in flight, or a session whose peer has not said yet how many streams it takes. A `waiter` is the caller's number for one that wants a stream.
package struct SessionPool: ~Copyable {
    /// The answer to one that wants a stream.
    package enum Decision: Hashable, Sendable {
        /// Open it on this session now; its place is taken.
        case use(SessionID)
        /// Dial this session; the waiter waits for it.
        case dial(SessionID)
        /// A dial is in flight already; the waiter waits.
        case wait
    }

    /// What the caller has to do after something happened.
    package enum Action: Hashable, Sendable {
        /// Open the waiter's stream on this session; its place is taken.
        case open(waiter: Int, on: SessionID)
        /// The waiter gets no stream.
        case fail(waiter: Int, Reason)
        /// Dial another session.
        case dial(PoolKey, SessionID)
    }

    private struct Session {
        enum State {
            case dialling
            case ready
            case draining
        }

        let key: PoolKey
        var state: State
        var capacity = 0
        var streamCount = 0

        var hasPlace: Bool { state == .ready && streamCount < capacity }
    }

    private struct Entry {
        /// In the order in which they were dialled: earlier ones are filled first, so that later ones fall idle.
        var sessions: [SessionID] = []
        var dialling: SessionID?
        var waiters: [Int] = []
    }

    private var entries: [PoolKey: Entry] = [:]
    private var sessions: [SessionID: Session] = [:]
    private var nextNumber = 1

    package init() {}

    /// Sessions that are dialled, ready or draining.
    package var sessionCount: Int { sessions.count }

    /// One wants a stream.
    package mutating func streamWanted(_ key: PoolKey, waiter: Int) -> Decision {
        if let place = takePlace(key) { return .use(place) }
        entries[key, default: Entry()].waiters.append(waiter)
        guard entries[key]?.dialling == nil else { return .wait }
        return .dial(beginDial(key))
    }

    /// One that waited does not want its stream any more.
    package mutating func waiterLeft(_ key: PoolKey, waiter: Int) {
        entries[key]?.waiters.removeAll { $0 == waiter }
    }

    /// A session is up and takes `capacity` streams as far as is known.
    ///
    /// - Parameter isSettled: whether the peer has said how many it takes. If not, it counts as being dialled until
    ///   `capacityChanged`: it may take all who wait for more.
    package mutating func dialed(_ session: SessionID, capacity: Int, isSettled: Bool = true) -> [Action] {
        guard let key = sessions[session]?.key, sessions[session]?.state == .dialling else { return [] }
        sessions[session]?.state = .ready
        sessions[session]?.capacity = capacity
        if isSettled { entries[key]?.dialling = nil }
        return serveWaiters(key)
    }

    /// A dial failed: all who waited for it fail with its reason.
    package mutating func dialFailed(_ session: SessionID, _ reason: Reason) -> [Action] {
        guard let key = sessions[session]?.key, sessions[session]?.state == .dialling else { return [] }
        let waiters = entries[key]?.waiters ?? []
        entries[key]?.waiters = []
        forget(session, key)
        return waiters.map { .fail(waiter: $0, reason) }
    }

    /// The peer's settings say how many streams the session takes.
    package mutating func capacityChanged(_ session: SessionID, to capacity: Int) -> [Action] {
        guard let key = sessions[session]?.key else { return [] }
        sessions[session]?.capacity = capacity
        if entries[key]?.dialling == session, sessions[session]?.state != .dialling { entries[key]?.dialling = nil }
        return serveWaiters(key)
    }

    /// A stream of the session ended or could not be opened: its place is free.
    package mutating func streamClosed(_ session: SessionID) -> [Action] {
        guard let entry = sessions[session] else { return [] }
        sessions[session]?.streamCount = max(0, entry.streamCount - 1)
        return serveWaiters(entry.key)
    }

    /// The session takes no new streams: the peer's GOAWAY, or a drain of ours.
    package mutating func goAwayReceived(_ session: SessionID) {
        guard let state = sessions[session]?.state, state == .ready else { return }
        sessions[session]?.state = .draining
    }

    /// The session is gone, with all its streams. If it was still being dialled, that failed with `reason`.
    package mutating func sessionClosed(_ session: SessionID, _ reason: Reason) -> [Action] {
        guard let entry = sessions[session] else { return [] }
        if entry.state == .dialling { return dialFailed(session, reason) }
        forget(session, entry.key)
        // Some may have waited for what its peer would say.
        return serveWaiters(entry.key)
    }

    private mutating func takePlace(_ key: PoolKey) -> SessionID? {
        guard let found = entries[key]?.sessions.first(where: { sessions[$0]?.hasPlace == true }) else { return nil }
        sessions[found]?.streamCount += 1
        return found
    }

    private mutating func beginDial(_ key: PoolKey) -> SessionID {
        let session = SessionID(number: nextNumber)
        nextNumber += 1
        sessions[session] = Session(key: key, state: .dialling)
        entries[key, default: Entry()].sessions.append(session)
        entries[key]?.dialling = session
        return session
    }

    /// Hands free places to those who wait, oldest first, and dials once more if that is not enough.
    private mutating func serveWaiters(_ key: PoolKey) -> [Action] {
        guard let waiters = entries[key]?.waiters, !waiters.isEmpty else { return [] }
        var actions: [Action] = []
        for waiter in waiters {
            guard let place = takePlace(key) else { break }
            actions.append(.open(waiter: waiter, on: place))
        }
        entries[key]?.waiters.removeFirst(actions.count)
        if actions.count < waiters.count, entries[key]?.dialling == nil {
            actions.append(.dial(key, beginDial(key)))
        }
        return actions
    }

    private mutating func forget(_ session: SessionID, _ key: PoolKey) {
        sessions[session] = nil
        entries[key]?.sessions.removeAll { $0 == session }
        if entries[key]?.dialling == session { entries[key]?.dialling = nil }
        if let entry = entries[key], entry.sessions.isEmpty, entry.waiters.isEmpty { entries[key] = nil }
    }
}
