internal import CNghttp2

extension HTTP2Session {
    private static let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)

    /// Asks for a stream; its HEADERS go out with the next `drain`. Nil if the session takes no more streams.
    ///
    /// - Parameters:
    ///   - fields: pseudo fields first.
    ///   - token: comes back in every event of the stream.
    package func openStream(_ fields: HeaderBlock, token: Int) -> StreamID? {
        guard role == .client, failure == nil, !hasReceivedGoAway else { return nil }
        let stream = streams.add(number: Int32.max, token: token)
        let index = Int(stream.slot)
        let number = unsafe Self.withFields(fields) { pointer, count in
            unsafe nghttp2_submit_headers(
                session, Self.none, -1, nil, pointer, count, UnsafeMutableRawPointer(bitPattern: index + 1))
        }
        guard number > 0 else {
            streams.openCount -= 1
            streams.release(index)
            return nil
        }
        streams[index].number = number
        lastStream = max(lastStream, number)
        return streams.stream(at: index)
    }

    /// Answers a request with `fields` and keeps the stream open for payload. The stream's events carry `token` from now on.
    package func respond(_ stream: StreamID, _ fields: HeaderBlock, token: Int) {
        guard let index = answerable(stream) else { return }
        streams[index].token = token
        _ = unsafe Self.withFields(fields) { pointer, count in
            unsafe nghttp2_submit_headers(session, Self.none, stream.number, nil, pointer, count, nil)
        }
    }

    /// Answers a request with `fields` and nothing else, and is done with the stream: no event of it follows.
    /// A peer that still sends is told to stop by RST_STREAM(NO_ERROR) (RFC 9113 section 8.1).
    package func respondAndClose(_ stream: StreamID, _ fields: HeaderBlock) {
        guard let index = answerable(stream) else { return }
        streams[index].flags.formUnion([.ignored, .resetAfterResponse])
        _ = unsafe Self.withFields(fields) { pointer, count in
            unsafe nghttp2_submit_response(session, stream.number, pointer, count, nil)
        }
    }

    private func answerable(_ stream: StreamID) -> Int? {
        guard role == .server, failure == nil, let index = streams.index(of: stream),
            streams[index].flags.isDisjoint(with: [.answered, .closed, .ignored])
        else { return nil }
        streams[index].flags.insert(.answered)
        return index
    }

    /// Gives the events of `stream` another token.
    package func setToken(_ token: Int, of stream: StreamID) {
        guard let index = streams.index(of: stream) else { return }
        streams[index].token = token
    }

    /// Ends our direction behind everything that was sent; with the next `drain` for which there is window, as a
    /// zero window holds even an empty DATA frame.
    package func finish(_ stream: StreamID) {
        guard failure == nil, let index = streams.index(of: stream),
            streams[index].flags.isDisjoint(with: [.finishing, .localFinished, .closed])
        else { return }
        streams[index].flags.insert(.finishing)
        streams.setBlocked(false, at: index)
        offerData(of: stream.number, endsStream: true)
    }

    /// Lets the library pull payload or the end of a stream, once: it keeps nothing for a stream that says nothing. Fails
    /// before HEADERS were sent, which for an end is done behind them.
    func offerData(of number: Int32, endsStream: Bool) {
        var provider = unsafe Self.provider
        let flag = endsStream ? UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) : Self.none
        _ = unsafe nghttp2_submit_data(session, flag, number, &provider)
    }

    /// Cuts `stream`; no event of it follows.
    package func reset(_ stream: StreamID, _ code: ResetCode) {
        guard let index = streams.index(of: stream) else { return }
        ignore(stream)
        guard failure == nil, !streams[index].flags.contains(.closed) else { return }
        _ = unsafe nghttp2_submit_rst_stream(session, Self.none, stream.number, code.rawValue)
    }

    /// Drops every further event of `stream`; what it still receives is discarded.
    package func ignore(_ stream: StreamID) {
        guard let index = streams.index(of: stream) else { return }
        streams.setBlocked(false, at: index)
        streams[index].flags.insert(.ignored)
    }

    /// Whether the library still has `stream` open.
    package func isOpen(_ stream: StreamID) -> Bool {
        guard let index = streams.index(of: stream) else { return false }
        return !streams[index].flags.contains(.closed)
    }

    /// Gives the peer credit for `count` bytes of `stream` that were delivered.
    package func consume(_ stream: StreamID, _ count: Int) {
        guard failure == nil, count > 0, let index = streams.index(of: stream),
            streams[index].flags.isDisjoint(with: [.closed, .ignored])
        else { return }
        _ = unsafe nghttp2_session_consume_stream(session, stream.number, count)
    }

    /// Sets the receive window of `stream` in bytes; growing it sends WINDOW_UPDATE.
    package func setWindow(_ stream: StreamID, _ count: Int32) {
        guard failure == nil, isOpen(stream), count > 0 else { return }
        _ = unsafe nghttp2_session_set_local_window_size(session, Self.none, stream.number, count)
    }

    /// Sends PING.
    package func ping() {
        guard failure == nil else { return }
        _ = unsafe nghttp2_submit_ping(session, Self.none, nil)
    }

    /// Announces that no more streams are wanted, but accepts those under way (RFC 9113 section 6.8). Server only.
    package func announceGoAway() {
        guard failure == nil else { return }
        _ = unsafe nghttp2_submit_shutdown_notice(session)
    }

    /// Sends GOAWAY: streams after the last one that was processed are not. Those that are open go on.
    package func goAway(_ code: ResetCode) {
        guard failure == nil else { return }
        let last = role == .server ? unsafe nghttp2_session_get_last_proc_stream_id(session) : 0
        _ = unsafe nghttp2_submit_goaway(session, Self.none, last, code.rawValue, nil, 0)
    }

    /// Ends the session at once with GOAWAY; nothing is received any more.
    package func terminate(_ code: ResetCode) {
        guard failure == nil else { return }
        fatalCode = fatalCode ?? code
        _ = unsafe nghttp2_session_terminate_session(session, code.rawValue)
    }

    private static var provider: nghttp2_data_provider {
        var provider = unsafe nghttp2_data_provider()
        unsafe provider.read_callback = { _, number, _, room, flags, _, user in
            guard let user = unsafe user else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
            return unsafe Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef {
                unsafe $0.provideData(number, room: room, flags)
            }
        }
        return unsafe provider
    }

    /// Calls `body` with the fields as the library wants them; it copies what it keeps.
    @unsafe private static func withFields<R>(
        _ block: HeaderBlock, _ body: (UnsafePointer<nghttp2_nv>?, Int) -> R
    ) -> R {
        unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: max(1, block.fields.count)) { pairs in
            unsafe block.bytes.withUnsafeBufferPointer { bytes in
                // The library only reads the text; its type says otherwise.
                let base = unsafe UnsafeMutablePointer(mutating: bytes.baseAddress)
                for (index, field) in block.fields.enumerated() {
                    let name = unsafe base.map { unsafe $0 + field.start }
                    let value = unsafe base.map { unsafe $0 + field.start + field.nameCount }
                    unsafe pairs.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: name, value: value, namelen: field.nameCount, valuelen: field.valueCount,
                            flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
                }
                return unsafe body(UnsafePointer(pairs.baseAddress), block.fields.count)
            }
        }
    }
}
