internal import CNghttp2

// What the library calls while it parses. Nothing here may send or receive; submitting is allowed.
extension HTTP2Session {
    private static let proceed: Int32 = 0

    @unsafe func frameBegan(_ header: UnsafePointer<nghttp2_frame_hd>?) -> Int32 {
        guard let header = unsafe header?.pointee else { return Self.proceed }
        if UInt32(header.type) != NGHTTP2_CONTINUATION.rawValue { input.openSlot = nil }
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue: input.framePayload = 0
        case NGHTTP2_HEADERS.rawValue: counts.headers += 1
        case NGHTTP2_PING.rawValue: counts.pings += 1
        case NGHTTP2_SETTINGS.rawValue:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { counts.settings += 1 }
        case NGHTTP2_WINDOW_UPDATE.rawValue: counts.windowUpdates += 1
        case NGHTTP2_CONTINUATION.rawValue: counts.continuations += 1
        case NGHTTP2_RST_STREAM.rawValue, NGHTTP2_GOAWAY.rawValue: break
        default: counts.others += 1
        }
        return Self.proceed
    }

    @unsafe func headersBegan(_ frame: UnsafePointer<nghttp2_frame>?) -> Int32 {
        guard let frame = unsafe frame else { return Self.proceed }
        let number = unsafe frame.pointee.hd.stream_id
        input.listSize = 0
        input.keepsFields = unsafe role == .server && frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
        if input.keepsFields {
            let stream = streams.add(number: number, token: -1)
            lastStream = max(lastStream, number)
            input.openSlot = Int(stream.slot)
            streams[Int(stream.slot)].firstField = Int32(clamping: input.block.count)
            let data = unsafe UnsafeMutableRawPointer(bitPattern: Int(stream.slot) + 1)
            _ = unsafe nghttp2_session_set_stream_user_data(session, number, data)
        } else if role == .client, let index = slotIndex(number) {
            streams[index].status = 0
        }
        return Self.proceed
    }

    @unsafe func headerReceived(
        _ frame: UnsafePointer<nghttp2_frame>?, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> Int32 {
        guard let number = unsafe frame?.pointee.hd.stream_id else { return Self.proceed }
        // RFC 9113 section 6.5.2: a field counts with 32 bytes more than its text.
        input.listSize += name.count + value.count + 32
        let limit = Int(limits.maxHeaderListSize)
        if input.listSize > limit {
            if input.listSize > limit * 4 {
                _ = fail(.headerListTooLarge, "a header block was over \(limit * 4) bytes when decoded")
                return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
            }
            return dropBlock(of: number)
        }
        if input.keepsFields {
            guard input.block.bytes.count + name.count + value.count <= limits.maxHeaderBytesPerInput else {
                return dropBlock(of: number)
            }
            unsafe input.block.append(name, value)
        } else if role == .client, unsafe name.elementsEqual(":status".utf8), let index = slotIndex(number) {
            // The library has checked that it is three digits.
            streams[index].status = unsafe value.reduce(0) { $0 * 10 + Int($1 &- UInt8(ascii: "0")) % 10 }
        }
        return Self.proceed
    }

    /// Resets the stream whose header block is too large; the library then skips the rest of the block.
    private func dropBlock(of number: Int32) -> Int32 {
        _ = unsafe nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), number, ResetCode.enhanceYourCalm.rawValue)
        if role == .server, let index = slotIndex(number), !streams[index].flags.contains(.answered) {
            // The caller never hears of a request that it could not read.
            streams[index].flags.insert(.ignored)
        }
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }

    @unsafe func dataReceived(_ number: Int32, _ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
        input.payload += count
        input.framePayload += count
        guard count > 0, let index = slotIndex(number), let base = unsafe input.base, let data = unsafe data else {
            return Self.proceed
        }
        let slot = streams[index]
        let stream = StreamID(number: number, slot: Int32(truncatingIfNeeded: index))
        let offset = unsafe UnsafeRawPointer(data) - base
        events.append(.data(stream, token: slot.token, offset: offset, count: count))
        return Self.proceed
    }

    @unsafe func frameReceived(_ frame: UnsafePointer<nghttp2_frame>?) -> Int32 {
        guard let frame = unsafe frame else { return Self.proceed }
        let header = unsafe frame.pointee.hd
        let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue:
            dataFrameEnded(header.stream_id, endsStream: endsStream)
        case NGHTTP2_HEADERS.rawValue:
            headersEnded(header.stream_id, endsStream: endsStream)
        case NGHTTP2_RST_STREAM.rawValue:
            resetReceived(header.stream_id)
        case NGHTTP2_WINDOW_UPDATE.rawValue:
            windowOpened(header.stream_id)
        case NGHTTP2_SETTINGS.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
            hasReceivedSettings = true
            events.append(.settings)
            windowOpened(0)
        case NGHTTP2_PING.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0:
            events.append(.pong)
        case NGHTTP2_GOAWAY.rawValue:
            let goAway = unsafe frame.pointee.goaway
            goAwayReceived(last: unsafe goAway.last_stream_id, ResetCode(rawValue: unsafe goAway.error_code))
        default:
            break
        }
        return Self.proceed
    }

    private func dataFrameEnded(_ number: Int32, endsStream: Bool) {
        counts.data += 1
        if endsStream {
            peerFinished(number)
        } else if input.framePayload == 0 {
            counts.emptyData += 1
        }
    }

    private func headersEnded(_ number: Int32, endsStream: Bool) {
        guard let index = slotIndex(number) else { return }
        input.openSlot = nil
        if input.keepsFields {
            streams[index].fieldCount = max(0, Int32(clamping: input.block.count) - streams[index].firstField)
            events.append(.request(streams.stream(at: index)))
        } else if role == .client, !streams[index].flags.contains(.answered), streams[index].status >= 200 {
            streams[index].flags.insert(.answered)
            events.append(
                .response(streams.stream(at: index), token: streams[index].token, status: streams[index].status))
        }
        if endsStream { peerFinished(number) }
    }

    private func peerFinished(_ number: Int32) {
        guard let index = slotIndex(number) else { return }
        streams[index].flags.insert(.remoteFinished)
        events.append(.finished(streams.stream(at: index), token: streams[index].token))
    }

    /// Only a client can make work with resets: it opens the streams.
    private func resetReceived(_ number: Int32) {
        guard role == .server else { return }
        if let index = slotIndex(number), !streams[index].flags.contains(.answered) {
            counts.resetsUnanswered += 1
        } else {
            counts.resetsAnswered += 1
        }
    }

    private func goAwayReceived(last: Int32, _ code: ResetCode) {
        hasReceivedGoAway = true
        if code != .noError, fatalCode == nil {
            fatalCode = code
            wasEndedByPeer = true
        }
        events.append(.goAway(lastStream: last, code: code))
    }

    /// Tells the streams that wait for send window that there is some; stream 0 is the whole connection.
    func windowOpened(_ number: Int32) {
        guard streams.blockedCount > 0 else { return }
        if number == 0 {
            for index in streams.slots.indices { unblock(index) }
        } else if let index = slotIndex(number) {
            unblock(index)
        }
    }

    func unblock(_ index: Int) {
        guard streams[index].flags.contains(.blocked) else { return }
        let stream = streams.stream(at: index)
        guard window(of: index) > 0 else { return }
        streams.setBlocked(false, at: index)
        events.append(.writable(stream, token: streams[index].token))
    }

    func streamClosed(_ number: Int32, _ code: ResetCode) -> Int32 {
        guard let index = slotIndex(number) ?? streams.slots.firstIndex(where: { $0.number == number }),
            !streams[index].flags.contains(.closed)
        else { return Self.proceed }
        // Behind its end, a peer that wants no more says RST_STREAM(NO_ERROR): what it sent counts (RFC 9113 section 8.1).
        let isClean = code == .noError && streams[index].flags.contains(.remoteFinished)
        streams[index].flags.insert(.closed)
        streams.setBlocked(false, at: index)
        streams.openCount -= 1
        events.append(
            .closed(streams.stream(at: index), token: streams[index].token, reset: isClean ? nil : code))
        return Self.proceed
    }
}
