package import Bytes
internal import CNghttp2

extension HTTP2Session {
    /// Appends control frames to `buffer` until there are none left, which is true, or it is full, which is false.
    /// Sending may close streams: take the events afterwards.
    ///
    /// - Throws: when the library failed; what was appended before is still to be sent.
    package func drain(into buffer: inout ByteBuffer) throws(HTTP2Error) -> Bool {
        guard flushSpill(into: &buffer) else { return false }
        if failure != nil { return drainFailure(into: &buffer) }
        while unsafe nghttp2_session_want_write(session) != 0 {
            var bytes: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &bytes)
            guard count >= 0 else { throw fail(sendingStatus: count) }
            guard count > 0, let bytes = unsafe bytes else { return true }
            let span = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
            let appended = unsafe buffer.append(span.bytes)
            guard appended == count else {
                unsafe output.spill.append(contentsOf: span.dropFirst(appended))
                return false
            }
        }
        return true
    }

    /// How many payload bytes of `stream` may be sent now: the smaller of its window and the connection's, 0 if it
    /// cannot send. At 0 the stream is noted, and `.writable` comes when that changes.
    package func sendableCount(_ stream: StreamID) -> Int {
        guard let index = streams.index(of: stream) else { return 0 }
        let window = window(of: index)
        if window == 0 { streams.setBlocked(true, at: index) }
        return window
    }

    /// Sends payload that `fill` puts in place: into the segments of the space it is given, each but the last full.
    /// `fill` returns how many bytes it wrote and is not called if control frames fill the buffer or nothing may
    /// be sent. A closure that does not escape: nothing is allocated.
    ///
    /// - Parameters:
    ///   - limit: payload bytes at most.
    /// - Returns: payload bytes that were framed.
    package func sendInPlace(
        _ stream: StreamID, limit: Int, into buffer: inout ByteBuffer, _ fill: (FrameSpace) -> Int
    ) throws(HTTP2Error) -> Int {
        guard try drain(into: &buffer), failure == nil else { return 0 }
        let window = sendableCount(stream)
        guard window > 0 else { return 0 }
        var filled = 0
        var status = 0
        unsafe buffer.withUnsafeWritable { writable in
            let space = unsafe FrameSpace(writable, limit: min(window, limit))
            guard unsafe space.payloadCount > 0 else { return 0 }
            filled = unsafe max(0, min(fill(space), space.payloadCount))
            guard filled > 0 else { return 0 }
            unsafe output.push = PendingPush(
                stream: stream.number, remaining: filled, cursor: writable.baseAddress)
            status = emitPush()
            return unsafe output.push.emitted
        }
        let lost = unsafe output.push.remaining
        unsafe output.push = PendingPush()
        if status < 0 { throw fail(sendingStatus: status) }
        if lost > 0 { throw fail(.internal, "stream \(stream) took \(filled - lost) of \(filled) bytes") }
        return filled
    }

    /// Lets the library frame the payload in place. Returns a negative status if it failed.
    private func emitPush() -> Int {
        offerData(of: unsafe output.push.stream, endsStream: false)
        while unsafe output.push.remaining > 0 {
            var bytes: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &bytes)
            guard count > 0, let bytes = unsafe bytes else { return count }
            // A control frame of another stream: it may follow the payload.
            unsafe output.spill.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        return 0
    }

    /// The send window of a slot's stream, 0 if it cannot send.
    func window(of index: Int) -> Int {
        let slot = streams[index]
        guard slot.flags.contains(.headersSent) || role == .client,
            slot.flags.isDisjoint(with: [.finishing, .localFinished, .closed, .ignored]), failure == nil
        else { return 0 }
        let stream = unsafe nghttp2_session_get_stream_remote_window_size(session, slot.number)
        let connection = unsafe nghttp2_session_get_remote_window_size(session)
        return max(0, Int(min(stream, connection)))
    }

    private func flushSpill(into buffer: inout ByteBuffer) -> Bool {
        guard !output.spill.isEmpty else { return true }
        let spill = output.spill
        let appended = unsafe buffer.append(spill.span.bytes)
        output.spill.removeFirst(appended)
        return output.spill.isEmpty
    }

    /// A dead library session must not be called; the GOAWAY that tells the peer is made by hand.
    private func drainFailure(into buffer: inout ByteBuffer) -> Bool {
        guard !output.saidGoAway, let failure else { return true }
        output.saidGoAway = true
        let last = role == .server ? UInt32(bitPattern: lastStream) : 0
        output.spill = [0, 0, 8, UInt8(NGHTTP2_GOAWAY.rawValue), 0, 0, 0, 0, 0]
        for word in [last, failure.code.goAwayCode.rawValue] {
            output.spill += stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
        return flushSpill(into: &buffer)
    }

    private func fail(sendingStatus status: Int) -> HTTP2Error {
        let isMemory = Int32(clamping: status) == NGHTTP2_ERR_NOMEM.rawValue
        return fail(isMemory ? .outOfMemory : .internal, Self.text(of: status))
    }
}

extension HTTP2Error.Code {
    var goAwayCode: ResetCode {
        switch self {
        case .badPreface, .protocolBroken: .protocolError
        case .endedByPeer: .noError
        case .flooded, .tooManyContinuations, .headerListTooLarge: .enhanceYourCalm
        case .misuse, .outOfMemory, .internal: .internalError
        }
    }
}

// What the library calls while it sends.
extension HTTP2Session {
    /// The library asks a stream for payload: what lies in place, the end, or nothing for now.
    func provideData(_ number: Int32, room: Int, _ flags: UnsafeMutablePointer<UInt32>?) -> Int {
        if unsafe output.push.remaining > 0, unsafe output.push.stream == number {
            let count = unsafe min(output.push.remaining, FrameSpace.maxPayload)
            guard count <= room else { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
            unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
            if unsafe count == output.push.remaining { unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
            return count
        }
        if let index = slotIndex(number), streams[index].flags.contains(.finishing) {
            unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            return 0
        }
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }

    @unsafe func writeFrameHeader(_ header: UnsafePointer<UInt8>?, payload count: Int) -> Int32 {
        guard let header = unsafe header, let cursor = unsafe output.push.cursor, unsafe count <= output.push.remaining
        else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        unsafe cursor.copyMemory(from: header, byteCount: FrameSpace.gap)
        unsafe output.push.cursor = cursor + FrameSpace.gap + count
        unsafe output.push.remaining -= count
        unsafe output.push.emitted += FrameSpace.gap + count
        return 0
    }

    @unsafe func frameSent(_ frame: UnsafePointer<nghttp2_frame>?) -> Int32 {
        guard let frame = unsafe frame else { return 0 }
        let header = unsafe frame.pointee.hd
        let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue where endsStream:
            if let index = slotIndex(header.stream_id) { streams[index].flags.insert(.localFinished) }
        case NGHTTP2_HEADERS.rawValue:
            if let index = slotIndex(header.stream_id) { headersSent(index, endsStream: endsStream) }
        case NGHTTP2_GOAWAY.rawValue:
            let code = ResetCode(rawValue: unsafe frame.pointee.goaway.error_code)
            if code != .noError { fatalCode = fatalCode ?? code }
        default:
            break
        }
        return 0
    }

    private func headersSent(_ index: Int, endsStream: Bool) {
        streams[index].flags.insert(endsStream ? [.headersSent, .localFinished] : .headersSent)
        if !endsStream, streams[index].flags.contains(.finishing) {
            offerData(of: streams[index].number, endsStream: true)
        }
        unblock(index)
        guard streams[index].flags.contains(.resetAfterResponse), !streams[index].flags.contains(.remoteFinished) else {
            return
        }
        _ = unsafe nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), streams[index].number, ResetCode.noError.rawValue)
    }

    /// A request that could not be sent was never seen by the peer.
    @unsafe func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>?) -> Int32 {
        guard let header = unsafe frame?.pointee.hd, role == .client,
            UInt32(header.type) == NGHTTP2_HEADERS.rawValue
        else { return 0 }
        return streamClosed(header.stream_id, .refusedStream)
    }
}
