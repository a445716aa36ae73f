internal import CNghttp2

/// Makes the library's session objects with our callbacks and options.
enum NativeSession {
    /// Reset floods are counted by the caller, per peer identity: the library's own limit cuts busy honest peers.
    private static let resetBurst: UInt64 = 1 << 40

    @unsafe static func make(role: HTTP2Session.Role, limits: HTTP2Limits) throws(HTTP2Error) -> OpaquePointer {
        var options: OpaquePointer?
        var callbacks: OpaquePointer?
        guard unsafe nghttp2_option_new(&options) == 0, unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else {
            unsafe nghttp2_option_del(options)
            throw HTTP2Error(.outOfMemory, "no memory for a session")
        }
        defer {
            unsafe nghttp2_option_del(options)
            unsafe nghttp2_session_callbacks_del(callbacks)
        }
        unsafe set(options, limits)
        unsafe set(callbacks)
        var session: OpaquePointer?
        let status =
            switch role {
            case .client: unsafe nghttp2_session_client_new2(&session, callbacks, nil, options)
            case .server: unsafe nghttp2_session_server_new2(&session, callbacks, nil, options)
            }
        guard status == 0, let session = unsafe session else {
            throw HTTP2Error(.outOfMemory, "no memory for a session")
        }
        return unsafe session
    }

    @unsafe private static func set(_ options: OpaquePointer?, _ limits: HTTP2Limits) {
        unsafe nghttp2_option_set_no_auto_window_update(options, 1)
        unsafe nghttp2_option_set_no_closed_streams(options, 1)
        unsafe nghttp2_option_set_stream_reset_rate_limit(options, resetBurst, 1 << 20)
        unsafe nghttp2_option_set_max_continuations(options, limits.maxContinuations)
        unsafe nghttp2_option_set_max_reserved_remote_streams(options, 0)
    }

    @unsafe private static func set(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, user in
            unsafe withSession(user) { unsafe $0.frameBegan(header) }
        }
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            unsafe withSession(user) { unsafe $0.headersBegan(frame) }
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, valueCount, _, user in
            unsafe withSession(user) {
                unsafe $0.headerReceived(
                    frame, UnsafeRawBufferPointer(start: name, count: nameCount),
                    UnsafeRawBufferPointer(start: value, count: valueCount))
            }
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, count, user in
            unsafe withSession(user) { unsafe $0.dataReceived(stream, data, count) }
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            unsafe withSession(user) { unsafe $0.frameReceived(frame) }
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, user in
            unsafe withSession(user) { $0.streamClosed(stream, ResetCode(rawValue: code)) }
        }
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            unsafe withSession(user) { unsafe $0.frameSent(frame) }
        }
        unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, user in
            unsafe withSession(user) { unsafe $0.frameNotSent(frame) }
        }
        unsafe nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, header, count, _, user in
            unsafe withSession(user) { unsafe $0.writeFrameHeader(header, payload: count) }
        }
    }
}

/// Calls `body` with the session behind a callback's user data; it outlives every call into the library.
@unsafe private func withSession(_ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> Int32) -> Int32 {
    guard let user = unsafe user else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
    return unsafe Unmanaged<HTTP2Session>.fromOpaque(user)._withUnsafeGuaranteedRef { body($0) }
}
