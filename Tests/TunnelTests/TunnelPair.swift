import Bytes
import HTTP
import Mesh
import Testing
import Tunnel

/// One end of a tunnel in a test: a session, its outgoing buffer, and a record of all that came out of it.
final class TunnelEnd {
    let session: TunnelSession
    var out: ByteBuffer
    var log: [TunnelEvent] = []
    /// Payload that came, by stream number.
    var received: [Int32: [UInt8]] = [:]
    /// Streams whose payload is delivered at once, so that its credit goes back; all but those in `stalled`.
    var stalled: Set<Int32> = []
    /// What to do with a requested stream.
    var onRequest: (TunnelEnd, StreamID, Result<ConnectRequest, RequestRefusal>) -> Void = { end, stream, _ in
        end.session.accept(stream, token: Int(stream.number) + 1000)
    }
    var failure: TunnelError?

    init(
        _ role: TunnelRole, _ limits: TunnelLimits = TunnelLimits(), pool: BufferPool,
        resetBudget: ResetBudget = ResetBudget(), at now: ContinuousClock.Instant
    ) throws {
        session = try TunnelSession(role: role, limits: limits, resetBudget: resetBudget, at: now)
        out = pool.makeBuffer()
    }

    func receive(_ bytes: ArraySlice<UInt8>, at now: ContinuousClock.Instant) {
        do {
            try session.receive(bytes.span.bytes, at: now)
        } catch {
            failure = failure ?? error
        }
        takeEvents(bytes, at: now)
    }

    func takeEvents(_ bytes: ArraySlice<UInt8> = [], at now: ContinuousClock.Instant) {
        while let event = session.nextEvent(at: now) {
            log.append(event)
            switch event {
            case .connectRequested(let stream):
                onRequest(self, stream, session.request(of: stream))
            case .data(let stream, _, let offset, let count):
                let start = bytes.startIndex + offset
                received[stream.number, default: []] += bytes[start..<(start + count)]
                if !stalled.contains(stream.number) { session.consume(stream, count) }
            default:
                break
            }
        }
    }

    /// All that is to be said now, as bytes.
    func drain(at now: ContinuousClock.Instant) -> [UInt8] {
        var result: [UInt8] = []
        while true {
            let isDone: Bool
            do {
                isDone = try session.drain(into: &out)
            } catch {
                failure = failure ?? error
                isDone = true
            }
            out.withReadable { span in span.withUnsafeBytes { result += $0 } }
            out.removeAll()
            if isDone { break }
        }
        takeEvents(at: now)
        return result
    }

    /// Sends as much of `bytes` as goes; returns how many went.
    @discardableResult
    func send(_ stream: StreamID, _ bytes: [UInt8]) throws -> Int {
        try session.send(stream, bytes.span.bytes, into: &out)
    }

    func contains(_ isWanted: (TunnelEvent) -> Bool) -> Bool { log.contains(where: isWanted) }
}

/// Two ends with nothing between them but memory.
final class TunnelPair {
    let pool = BufferPool(blockSize: 1 << 18, keepAtMost: 4)
    let dialler: TunnelEnd
    let accepter: TunnelEnd
    var now = ContinuousClock.now
    /// Bytes per delivery.
    var chunk = Int.max
    /// Everything that went over, for the fuzz corpus.
    var fromDialler: [UInt8] = []

    init(
        dialling: TunnelLimits = TunnelLimits(), accepting: TunnelLimits = TunnelLimits(),
        resetBudget: ResetBudget = ResetBudget(), settled: Bool = true
    ) throws {
        dialler = try TunnelEnd(.dialling, dialling, pool: pool, at: now)
        accepter = try TunnelEnd(.accepting, accepting, pool: pool, resetBudget: resetBudget, at: now)
        if settled { exchange() }
    }

    /// Carries bytes both ways until neither end has anything to say.
    func exchange() {
        while deliver(from: dialler, to: accepter) + deliver(from: accepter, to: dialler) > 0 {}
    }

    @discardableResult
    func deliver(from: TunnelEnd, to: TunnelEnd) -> Int {
        let bytes = from.drain(at: now)
        if from === dialler { fromDialler += bytes }
        var rest = bytes[...]
        while !rest.isEmpty {
            to.receive(rest.prefix(chunk), at: now)
            rest = rest.dropFirst(chunk)
        }
        return bytes.count
    }

    func open(_ authority: String = "10.0.0.2:8080", token: Int = 1) throws -> StreamID {
        let authority = try #require(Authority(parsing: authority))
        return try dialler.session.openStream(ConnectRequest(authority: authority), token: token)
    }

    /// An accepted stream, and the same stream as the accepting side names it.
    func connect(token: Int = 1) throws -> (StreamID, StreamID) {
        let stream = try open(token: token)
        exchange()
        for case .connectRequested(let accepted) in accepter.log where accepted.number == stream.number {
            return (stream, accepted)
        }
        throw TunnelError(.cannotOpenStream, "the stream did not arrive")
    }
}

func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ Int(seed)) }
}
