package import Bytes
package import HTTP

extension TunnelSession {
    /// How many streams of ours may be open at once: the peer's limit, 100 before it said one, and ours.
    package var streamCapacity: Int { min(limits.maxOwnStreams, http.peerMaxConcurrentStreams) }

    /// Whether `openStream` can succeed now.
    package var canOpenStream: Bool {
        role == .dialling && !isDraining && http.failure == nil && http.fatalCode == nil
            && http.openStreamCount < streamCapacity
    }

    /// Asks the peer for a stream; the request goes out with the next drain or in-place send, and payload may
    /// follow before the answer.
    ///
    /// - Parameter token: the caller's number for the stream; comes back in its events.
    /// - Throws: `cannotOpenStream`; use another session.
    package func openStream(_ request: ConnectRequest, token: Int) throws(TunnelError) -> StreamID {
        guard canOpenStream else { throw TunnelError(.cannotOpenStream, "the session takes no more streams") }
        scratch.removeAll()
        request.write(into: &scratch)
        guard let stream = http.openStream(scratch, token: token) else {
            throw TunnelError(.cannotOpenStream, "the session has run out of stream numbers")
        }
        return stream
    }

    /// What a peer asks for with `stream`. Valid for `.connectRequested` until the next `receive`.
    package func request(of stream: StreamID) -> Result<ConnectRequest, RequestRefusal> {
        do {
            return .success(try ConnectRequest(http.fields(of: stream)))
        } catch {
            return .failure(error)
        }
    }

    /// Notes the caller's number for a requested stream before it is decided, so that data that comes meanwhile
    /// and resets carry it.
    package func setToken(_ token: Int, of stream: StreamID) {
        http.setToken(token, of: stream)
    }

    /// Answers 200: the application accepted. Only now is payload sent on it.
    package func accept(_ stream: StreamID, token: Int) {
        scratch.removeAll()
        scratch.append(":status", "200")
        http.respond(stream, scratch, token: token)
    }

    /// Answers with `status` (400, 401 or 503) and ends the stream; no event of it follows.
    package func refuse(_ stream: StreamID, status: Int) {
        scratch.removeAll()
        scratch.append(":status", String((100...599).contains(status) ? status : 503))
        http.respondAndClose(stream, scratch)
    }

    /// Cuts the stream; no event of it follows. An application's RST is `.connectError`. When many streams are
    /// reset the frames are spread over time: see `nextDeadline`.
    package func reset(_ stream: StreamID, code: ResetCode, at now: ContinuousClock.Instant) {
        guard http.isOpen(stream), pacer.request(stream, code, at: now) else {
            http.ignore(stream)
            return
        }
        http.reset(stream, code)
    }

    /// The application's FIN: ends our direction behind everything sent on it. It goes out with the next drain for
    /// which the peer's window is open, as a zero window holds an empty DATA frame, too.
    package func finish(_ stream: StreamID) {
        http.finish(stream)
    }

    /// Gives the peer credit for `count` bytes that the application has taken.
    package func consume(_ stream: StreamID, _ count: Int) {
        http.consume(stream, count)
    }

    /// Grows the receive window of `stream` to `count` bytes, within the limits.
    package func setStreamWindow(_ stream: StreamID, _ count: Int32) {
        http.setWindow(stream, max(limits.streamWindow, min(count, limits.maxStreamWindow)))
    }

    /// Payload bytes that may be sent on `stream` now; 0 before its answer went out or when a window is closed.
    /// At 0 `.writable` follows when that changes.
    package func sendableCount(_ stream: StreamID) -> Int {
        http.sendableCount(stream)
    }

    /// Appends everything but payload to `buffer`: true when nothing is left, false when the buffer is full. Take
    /// the events afterwards, as sending closes streams.
    @discardableResult
    package func drain(into buffer: inout ByteBuffer) throws(TunnelError) -> Bool {
        do {
            return try http.drain(into: &buffer)
        } catch {
            throw TunnelError(error)
        }
    }

    /// Sends payload that `fill` reads in place: into the segments of the space, each but the last to be filled
    /// before the next one, as `readv` does. `fill` returns how many bytes it read: 0 if none (would block, EOF,
    /// error: the caller keeps which). It is not called if the window is closed or the buffer full. Allocates
    /// nothing.
    ///
    /// - Parameter limit: payload bytes at most.
    /// - Returns: payload bytes appended.
    @discardableResult
    package func sendInPlace(
        _ stream: StreamID, limit: Int = .max, into buffer: inout ByteBuffer, _ fill: (FrameSpace) -> Int
    ) throws(TunnelError) -> Int {
        do {
            let count = unsafe try http.sendInPlace(stream, limit: limit, into: &buffer, fill)
            sentFrames += (count + Self.maxPayload - 1) / Self.maxPayload
            return count
        } catch {
            throw TunnelError(error)
        }
    }

    /// Sends as much of `bytes` as window and buffer take, by copying; for what was kept to be replayed.
    ///
    /// - Returns: how many bytes were taken.
    package func send(
        _ stream: StreamID, _ bytes: RawSpan, into buffer: inout ByteBuffer
    ) throws(TunnelError) -> Int {
        try unsafe bytes.withUnsafeBytes { pointer throws(TunnelError) in
            try unsafe sendInPlace(stream, limit: pointer.count, into: &buffer) { space in
                unsafe space.copy(pointer.bytes)
            }
        }
    }
}
