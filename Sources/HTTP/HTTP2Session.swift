internal import CNghttp2

/// One HTTP/2 connection as a byte machine over libnghttp2: bytes in, events out; requests in, bytes out. It
/// copies no payload in either direction, reads no clock and does no I/O.
///
/// Confined to one thread. Received payload stays in the caller's span and events name it by offset; payload to
/// send is read by the caller straight into the outgoing buffer, and the library only fills in the frame headers.
/// The order of calls:
///
///     receive(span)               // bytes from the peer
///     while nextEvent() { ... }   // before the next receive; may submit, consume, reset
///     drain(into: &buffer)        // control frames, before payload
///     sendInPlace(...)            // payload
///     while nextEvent() { ... }   // sending closes streams, too
@safe package final class HTTP2Session {
    /// Which end of the connection this is.
    package enum Role: Hashable, Sendable {
        case client
        case server
    }

    package let role: Role
    let limits: HTTP2Limits
    let session: OpaquePointer
    // Objects, as the compiler proves of more accesses to their parts that they cannot overlap; what it cannot prove is
    // checked at run time, which is a third of a stream's instructions.
    let streams = StreamTable()
    let events = EventQueue()
    let input = InputState()
    let output = OutputState()
    /// Frames that matter for flood limits; the caller takes them and sets them to zero.
    package var counts = FrameCounts()
    /// Why the session is dead, if it is: nothing is received any more and only a GOAWAY is still sent.
    package internal(set) var failure: HTTP2Error?
    /// The code of a GOAWAY with an error that either side sent; the connection ends after it.
    package internal(set) var fatalCode: ResetCode?
    /// It was the peer that sent it.
    package internal(set) var wasEndedByPeer = false
    /// The peer sent GOAWAY: no stream can be opened any more.
    package internal(set) var hasReceivedGoAway = false
    /// The peer's first SETTINGS have come.
    package internal(set) var hasReceivedSettings = false
    /// The number of the last stream that we asked for or accepted.
    package internal(set) var lastStream: Int32 = 0

    /// Begins a session; its preface and SETTINGS are ready to be drained.
    package init(role: Role, limits: HTTP2Limits) throws(HTTP2Error) {
        self.role = role
        self.limits = limits
        unsafe session = unsafe try NativeSession.make(role: role, limits: limits)
        unsafe nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
        try submitSettings()
    }

    deinit {
        unsafe nghttp2_session_del(session)
    }

    /// Streams that are open now, both directions counted.
    package var openStreamCount: Int { streams.openCount }

    /// How many streams of ours the peer allows at once; 100 until it has said.
    package var peerMaxConcurrentStreams: Int {
        unsafe Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }

    /// Nothing more is to be received or sent: close the connection once the output is flushed.
    package var isOver: Bool {
        if failure != nil { return output.isEmpty && output.saidGoAway }
        return unsafe output.isEmpty && nghttp2_session_want_read(session) == 0
            && nghttp2_session_want_write(session) == 0
    }

    /// No control frame waits to be drained.
    package var hasNothingToSend: Bool {
        unsafe output.isEmpty && (failure != nil || nghttp2_session_want_write(session) == 0)
    }

    private func submitSettings() throws(HTTP2Error) {
        func entry(_ id: nghttp2_settings_id, _ value: UInt32) -> nghttp2_settings_entry {
            nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)
        }
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UInt32(clamping: limits.streamWindow)),
            entry(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits.maxFrameSize),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.maxHeaderListSize),
            entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ]
        switch role {
        case .client: entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        case .server: entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams))
        }
        let status = unsafe nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
        guard status == 0 else { throw HTTP2Error(.misuse, "SETTINGS were refused: \(Self.text(of: status))") }
        _ = unsafe nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, limits.connectionWindow)
    }

    /// The library's own words for one of its error numbers.
    static func text(of status: some BinaryInteger) -> String {
        guard let text = unsafe nghttp2_strerror(Int32(clamping: status)) else { return "error \(status)" }
        return unsafe String(cString: text)
    }
}

/// Events in the order in which they happened.
final class EventQueue {
    private var events: ContiguousArray<HTTP2Event> = []
    private var next = 0

    var isEmpty: Bool { next == events.count }

    func append(_ event: HTTP2Event) { events.append(event) }

    func popFirst() -> HTTP2Event? {
        guard next < events.count else {
            if next > 0 {
                events.removeAll(keepingCapacity: true)
                next = 0
            }
            return nil
        }
        defer { next += 1 }
        return events[next]
    }
}

/// What belongs to the span that was received last.
@safe final class InputState {
    /// First byte of the span while it is being received.
    var base: UnsafeRawPointer?
    /// Header fields of all blocks in the span.
    var block = HeaderBlock()
    /// Decoded size of the block that is being received.
    var listSize = 0
    /// Slot of the request whose block has begun and not ended; a block may come in several spans.
    var openSlot: Int?
    /// Whether the block's fields are kept: it is a request's and within the limit.
    var keepsFields = false
    /// Payload of the DATA frame that is being received; also across spans.
    var framePayload = 0
    /// Payload of the span, for connection credit.
    var payload = 0
    /// Stream of the last DATA and its slot: frames of one stream come in runs.
    var lastNumber: Int32 = 0
    var lastSlot = 0
}

/// What is on its way out.
@safe final class OutputState {
    /// Control bytes that did not fit into the caller's buffer.
    var spill: [UInt8] = []
    /// Payload that waits for its headers.
    var push = unsafe PendingPush()
    /// The hand-made GOAWAY of a dead session was appended.
    var saidGoAway = false

    var isEmpty: Bool { spill.isEmpty }
}
