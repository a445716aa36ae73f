internal import CNghttp2

extension HTTP2Session {
    /// Parses all of `plaintext`. Afterwards take the events until there are none: those for payload and requests
    /// refer to this span and are lost with the next call.
    ///
    /// - Throws: when the connection must end. What is left to say to the peer comes out of `drain`.
    package func receive(_ plaintext: RawSpan) throws(HTTP2Error) {
        if let failure { throw failure }
        guard events.isEmpty || input.payload == 0 else {
            throw fail(.misuse, "bytes were received before the events of the last ones were taken")
        }
        forgetFields()
        input.payload = 0
        guard plaintext.byteCount > 0 else { return }
        let status = unsafe plaintext.withUnsafeBytes { bytes in
            unsafe input.base = bytes.baseAddress
            defer { unsafe input.base = nil }
            return unsafe nghttp2_session_mem_recv(session, bytes.baseAddress, bytes.count)
        }
        if input.payload > 0 { _ = unsafe nghttp2_session_consume_connection(session, input.payload) }
        guard status >= 0 else { throw fail(receivingStatus: status) }
    }

    /// The next event, in order; nil when all are taken.
    package func nextEvent() -> HTTP2Event? {
        while let event = events.popFirst() {
            let current = withCurrentToken(event)
            if isWanted(event) { return current }
        }
        input.payload = 0
        return nil
    }

    /// The header fields of a request whose event was just taken.
    package func fields(of stream: StreamID) -> HeaderFields {
        guard let index = streams.index(of: stream) else { return HeaderFields(block: HeaderBlock(), range: 0..<0) }
        let first = Int(streams[index].firstField)
        return HeaderFields(block: input.block, range: first..<(first + Int(streams[index].fieldCount)))
    }

    /// Forgets the fields of the last span, but for a block that goes on in the next.
    private func forgetFields() {
        guard let open = input.openSlot else {
            input.block.removeAll()
            return
        }
        input.block.removeFirst(Int(streams[open].firstField))
        streams[open].firstField = 0
    }

    /// A stream gets its token when its request is taken; payload, end or reset may have come in the same span, and their
    /// events were noted before.
    private func withCurrentToken(_ event: HTTP2Event) -> HTTP2Event {
        switch event {
        case .response(let stream, let token, let status):
            .response(stream, token: self.token(of: stream) ?? token, status: status)
        case .data(let stream, let token, let offset, let count):
            .data(stream, token: self.token(of: stream) ?? token, offset: offset, count: count)
        case .finished(let stream, let token): .finished(stream, token: self.token(of: stream) ?? token)
        case .closed(let stream, let token, let reset):
            .closed(stream, token: self.token(of: stream) ?? token, reset: reset)
        case .writable(let stream, let token): .writable(stream, token: self.token(of: stream) ?? token)
        case .request, .goAway, .pong, .settings: event
        }
    }

    private func token(of stream: StreamID) -> Int? {
        streams.index(of: stream).map { streams[$0].token }
    }

    /// Frees the slot of a closed stream and drops what belongs to streams that the caller has done with.
    private func isWanted(_ event: HTTP2Event) -> Bool {
        switch event {
        case .request(let stream), .response(let stream, _, _), .data(let stream, _, _, _), .finished(let stream, _),
            .writable(let stream, _):
            return isWanted(stream)
        case .closed(let stream, _, _):
            let isWanted = isWanted(stream)
            if let index = streams.index(of: stream) { streams.release(index) }
            return isWanted
        case .goAway, .pong, .settings:
            return true
        }
    }

    private func isWanted(_ stream: StreamID) -> Bool {
        guard let index = streams.index(of: stream) else { return false }
        return !streams[index].flags.contains(.ignored)
    }

    /// Notes that the session is dead and why; the first reason stays.
    func fail(_ code: HTTP2Error.Code, _ message: String) -> HTTP2Error {
        let error = failure ?? HTTP2Error(code, message)
        failure = error
        return error
    }

    private func fail(receivingStatus status: Int) -> HTTP2Error {
        let text = Self.text(of: status)
        switch Int32(clamping: status) {
        case NGHTTP2_ERR_NOMEM.rawValue: return fail(.outOfMemory, text)
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: return fail(.badPreface, text)
        case NGHTTP2_ERR_FLOODED.rawValue: return fail(.flooded, text)
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: return fail(.tooManyContinuations, text)
        default: return fail(.internal, text)
        }
    }

    /// The slot of a stream by its number. The slot's index travels as the library's stream user data.
    func slotIndex(_ number: Int32) -> Int? {
        let last = input.lastSlot
        if number == input.lastNumber, streams.holds(number, at: last) { return last }
        let data = unsafe nghttp2_session_get_stream_user_data(session, number)
        let index = Int(bitPattern: data) - 1
        guard number > 0, streams.holds(number, at: index) else { return nil }
        input.lastNumber = number
        input.lastSlot = index
        return index
    }
}
