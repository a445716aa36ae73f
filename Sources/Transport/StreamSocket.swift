package import Addressing
package import Bytes
internal import HTTP
package import Kernel

/// Told what happens on a `StreamSocket`; always on its loop.
package protocol StreamSocketDelegate: AnyObject {
    /// The connect that was under way succeeded.
    func socketConnected(_ socket: StreamSocket)
    /// The connection failed: a connect that was refused or ran out of time, or a reset. The socket is closed.
    func socketFailed(_ socket: StreamSocket, errorNumber: Int32)
    /// There may be bytes to read (`mayRead`).
    func socketReadable(_ socket: StreamSocket)
    /// So many bytes that had to wait were written now.
    func socketDrained(_ socket: StreamSocket, count: Int)
}

/// One TCP connection on the event loop: remembers what edge-triggered epoll told, keeps what the peer was too
/// slow to take, and sends FIN only behind it.
///
///     connecting ──connected──> open ──close / reset / failure──> closed
///          └────refused, timed out──────────────────────────────────^
package final class StreamSocket: EventHandler, TimerHandler {
    private enum Phase {
        case connecting
        case open
        case closed
    }

    // The large ones first, so that there is no room between them: thousands of idle connections have them.

    private let resources: LoopResources
    /// Held strongly until the socket is closed, which ends the cycle.
    private var delegate: (any StreamSocketDelegate)?
    private var pending = ByteQueue()
    private var timeout: TimerID?
    /// A read may bring something.
    package private(set) var mayRead = false
    private var mayWrite = false
    private var hasTriedToWrite = false
    private var registration: EventLoop.Registration?
    private var isPeerClosed = false
    /// All is read that came before the peer's FIN.
    private var isAtEnd = false
    /// The connection is broken: its end is told by the kernel alone.
    private var isBroken = false
    private var socket: TCPSocket?
    private var isFinishing = false
    private var hasSentFinish = false
    private var phase: Phase
    private var failure: Int32?

    /// Where it lives.
    package var loop: EventLoop { resources.loop }

    /// A socket that is connected already, such as one just accepted. `start` makes it live.
    package init(accepted socket: consuming TCPSocket, resources: LoopResources) {
        self.resources = resources
        self.socket = consume socket
        phase = .open
    }

    /// A socket that is to connect; `start(connectingTo:)` makes it live.
    package init(unconnected socket: consuming TCPSocket, resources: LoopResources) {
        self.resources = resources
        self.socket = consume socket
        phase = .connecting
    }

    /// Begins to watch the socket for `delegate`. Throws if epoll takes no more descriptors.
    package func start(_ delegate: any StreamSocketDelegate) throws(SystemError) {
        guard let raw = rawDescriptor else { throw SystemError("start", SystemError.badDescriptor) }
        registration = try loop.register(raw, .edge, handler: self)
        self.delegate = delegate
    }

    /// Connects and watches for the outcome. Throws what is known at once, such as an unreachable network.
    package func start(
        connectingTo address: SocketAddress, from source: SocketAddress?, timeout: Duration,
        _ delegate: any StreamSocketDelegate
    ) throws(SystemError) {
        if let source { try socket?.bind(to: source) }
        try socket?.connect(to: address)
        try start(delegate)
        self.timeout = loop.schedule(after: timeout, self)
    }

    /// For a connection that leaves the node: finds a peer that vanished without a word, and lets the kernel hold only
    /// as much as it can send soon.
    package func tuneForNetwork(findsDeadPeers: Bool) {
        try? socket?.setUnsentLowWater(SocketTuning.unsentLowWater)
        if findsDeadPeers {
            try? socket?.setKeepAlive(
                idle: SocketTuning.idle, interval: SocketTuning.interval, probes: SocketTuning.probes)
        }
    }

    /// From now on tells `delegate`, instead of the one that it was started with.
    package func redirect(to delegate: any StreamSocketDelegate) {
        if phase != .closed { self.delegate = delegate }
    }

    package var isClosed: Bool { phase == .closed }
    package var isOpen: Bool { phase == .open }

    /// Bytes that wait for the peer to take them.
    package var pendingCount: Int { pending.count }

    private var rawDescriptor: Int32? {
        switch socket {
        case .some(let socket): socket.raw
        case .none: nil
        }
    }

    // MARK: Reading

    /// Bytes may be there although no event has told of them yet: the next read is worth its call.
    package func expectBytes() { if phase == .open { mayRead = true } }

    /// Reads into `buffer`, `limit` bytes at most. A short read means that there is nothing more, unless FIN is already known to wait
    /// behind it: then the end is told next, for no further edge would tell of it.
    package func read(into buffer: inout ByteBuffer, atMost limit: Int = .max) -> ReadResult {
        if isAtEnd { return noted(.endOfStream, asked: 0) }
        let space = min(buffer.writableCount, limit)
        return noted(socket?.read(into: &buffer, atMost: limit) ?? .endOfStream, asked: space)
    }

    /// As `read(into:)`, into the payload places of frames with one call.
    @unsafe
    func read(into space: FrameSpace) -> ReadResult {
        if isAtEnd { return noted(.endOfStream, asked: 0) }
        let total = unsafe space.payloadCount
        let result = unsafe withUnsafeTemporaryAllocation(of: IOVector.self, capacity: space.segmentCount) { vectors in
            for index in 0..<vectors.count {
                let segment = unsafe space[index]
                unsafe vectors.initializeElement(
                    at: index, to: IOVector(base: segment.baseAddress, count: segment.count))
            }
            return unsafe socket?.read(into: vectors) ?? .endOfStream
        }
        return noted(result, asked: total)
    }

    /// As `read(into:)`, without copying: the bytes are in `pipe` then.
    package func read(into pipe: SplicePipe) -> ReadResult {
        if isAtEnd { return noted(.endOfStream, asked: 0) }
        // Less than was asked for tells nothing here, so the next read finds out.
        switch filled(pipe) {
        case .bytes(let count): return noted(.bytes(count), asked: count)
        case let other: return noted(other, asked: 0)
        }
    }

    private func filled(_ pipe: SplicePipe) -> ReadResult {
        switch socket {
        case .some(let socket): pipe.fill(from: socket)
        case .none: .endOfStream
        }
    }

    private func noted(_ result: ReadResult, asked: Int) -> ReadResult {
        switch result {
        case .bytes(let count):
            guard count < asked else { break }
            mayRead = isPeerClosed
            // The FIN was there before the read, so there is nothing between the last byte and it.
            isAtEnd = isPeerClosed && !isBroken
        case .wouldBlock, .endOfStream, .failed: mayRead = false
        }
        return result
    }

    // MARK: Writing

    /// Sends what the peer takes now and keeps the rest. Returns how many bytes went out now; the others are
    /// told by `socketDrained`.
    @discardableResult
    package func send(_ bytes: RawSpan) -> Int {
        guard phase == .open, !isFinishing else { return 0 }
        var sent = 0
        if pending.isEmpty, mayWrite || !hasTriedToWrite { sent = writeNow(bytes) }
        guard phase == .open else { return sent }
        if sent < bytes.byteCount { pending.append(bytes, from: sent, in: resources.pendingPool) }
        return sent
    }

    /// As `send(_:)`, of those places in `bytes`, with one call.
    @discardableResult
    package func send(_ bytes: RawSpan, at places: Span<Range<Int>>) -> Int {
        guard phase == .open, !isFinishing else { return 0 }
        var sent = 0
        if pending.isEmpty, mayWrite || !hasTriedToWrite { sent = writeNow(bytes, at: places) }
        guard phase == .open else { return sent }
        var behind = sent
        for index in places.indices {
            let place = places[index]
            if behind < place.count { pending.append(bytes.extracting(place), from: behind, in: resources.pendingPool) }
            behind = max(0, behind - place.count)
        }
        return sent
    }

    private func writeNow(_ bytes: RawSpan, at places: Span<Range<Int>>) -> Int {
        hasTriedToWrite = true
        var (sent, next) = (0, 0)
        while next < places.count {
            let some = places.extracting(next..<min(places.count, next + TCPSocket.mostPlaces))
            var total = 0
            for index in some.indices { total += some[index].count }
            let written = noteWritten(socket?.write(bytes, at: some) ?? .wouldBlock, of: total)
            sent += written
            guard written == total else { break }
            next += some.count
        }
        return sent
    }

    private func writeNow(_ bytes: RawSpan) -> Int {
        hasTriedToWrite = true
        return noteWritten(socket?.write(bytes) ?? .wouldBlock, of: bytes.byteCount)
    }

    private func noteWritten(_ result: WriteResult, of total: Int) -> Int {
        switch result {
        case .bytes(let count):
            mayWrite = count == total
            return count
        case .wouldBlock:
            mayWrite = false
            return 0
        case .failed(let code):
            failSoon(code)
            return 0
        }
    }

    /// Sends what is in `pipe`, as much as the peer takes now; `socketDrained` tells when it takes more.
    package func send(from pipe: SplicePipe) {
        guard phase == .open, !isFinishing, pending.isEmpty, mayWrite || !hasTriedToWrite else { return }
        hasTriedToWrite = true
        let total = pipe.count
        _ = noteWritten(emptied(pipe), of: total)
    }

    private func emptied(_ pipe: SplicePipe) -> WriteResult {
        switch socket {
        case .some(let socket): pipe.empty(into: socket)
        case .none: .wouldBlock
        }
    }

    /// Writes from `buffer` what the peer takes now and consumes that; false if the peer takes no more.
    package func flush(_ buffer: inout ByteBuffer) -> Bool {
        hasTriedToWrite = true
        while phase == .open, !buffer.isEmpty {
            switch buffer.withReadable({ socket?.write($0) ?? .wouldBlock }) {
            case .bytes(let count): buffer.consume(count)
            case .wouldBlock:
                mayWrite = false
                return false
            case .failed(let code):
                failSoon(code)
                return false
            }
        }
        return true
    }

    /// Sends FIN behind what waits. Nothing can be sent after.
    package func finish() {
        guard phase == .open, !isFinishing else { return }
        isFinishing = true
        sendFinishIfDrained()
    }

    private func sendFinishIfDrained() {
        guard isFinishing, !hasSentFinish, pending.isEmpty else { return }
        hasSentFinish = true
        socket?.shutdownWrite()
    }

    // MARK: Ending

    /// Closes; the kernel still delivers what was written.
    package func close() {
        end()
    }

    /// Closes with RST.
    package func reset() {
        socket?.setResetOnClose()
        end()
    }

    private func end() {
        guard phase != .closed else { return }
        phase = .closed
        if let timeout { loop.cancel(timeout) }
        if let registration { loop.forget(registration) }
        registration = nil
        socket = nil
        mayRead = false
        mayWrite = false
        pending.consume(pending.count)
        delegate = nil
    }

    /// A failed write is told from the loop, never from inside the caller's own call.
    private func failSoon(_ code: Int32) {
        failure = failure ?? code
        loop.nextTurn(self)
    }

    private func fail(_ code: Int32) {
        guard phase != .closed else { return }
        let delegate = delegate
        end()
        delegate?.socketFailed(self, errorNumber: code)
    }

    // MARK: Events

    package func ready(_ readiness: Readiness) {
        if let failure { return fail(failure) }
        if phase == .connecting { finishConnecting(readiness) }
        guard phase == .open else { return }
        if readiness.contains(.error) { return breakOff(readiness) }
        if readiness.has(.peerClosed, or: .hangUp) {
            isPeerClosed = true
            mayRead = true
        }
        if readiness.contains(.readable) { mayRead = true }
        // Told with every packet; it is news only to somebody who waits for it.
        if readiness.contains(.writable), !mayWrite || !pending.isEmpty { drain() }
        if phase == .open, mayRead { delegate?.socketReadable(self) }
    }

    /// The connection is broken. What came before the reset is still there for one that reads now, as it would be
    /// without the mesh between: an answer and a reset behind it is how a server refuses an upload.
    private func breakOff(_ readiness: Readiness) {
        isBroken = true
        isAtEnd = false
        if readiness.contains(.readable) {
            mayRead = true
            delegate?.socketReadable(self)
        }
        // Zero if the read that came to the reset has taken the error.
        let code = socket?.connectError() ?? 0
        fail(code == 0 ? SystemError.connectionReset : code)
    }

    private func finishConnecting(_ readiness: Readiness) {
        let isBroken = readiness.has(.error, or: .hangUp)
        guard isBroken || readiness.contains(.writable) else { return }
        // A connect that failed is told as an error, too, so only then it is worth asking.
        if isBroken {
            let code = socket?.connectError() ?? SystemError.badDescriptor
            guard code == 0 else { return fail(code) }
        }
        phase = .open
        if let timeout { loop.cancel(timeout) }
        timeout = nil
        delegate?.socketConnected(self)
    }

    private func drain() {
        mayWrite = true
        var total = 0
        while !pending.isEmpty, mayWrite, phase == .open, failure == nil {
            let count = pending.withFront { writeNow($0) }
            pending.consume(count)
            total += count
        }
        guard phase == .open, failure == nil else { return }
        sendFinishIfDrained()
        delegate?.socketDrained(self, count: total)
    }

    package func timerFired(at now: ContinuousClock.Instant) {
        timeout = nil
        if phase == .connecting { fail(SystemError.timedOut) }
    }
}
