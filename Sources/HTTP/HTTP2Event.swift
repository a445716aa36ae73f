/// What came out of the peer's bytes, or of sending. `token` is the number that the caller gave to the stream.
package enum HTTP2Event: Hashable, Sendable {
    /// A request's header fields are complete; `fields(of:)` has them until the next `receive`. Server only.
    case request(StreamID)
    /// The final status of a response; interim ones are skipped. Client only.
    case response(StreamID, token: Int, status: Int)
    /// Payload: `count` bytes at `offset` in the span given to the last `receive`.
    case data(StreamID, token: Int, offset: Int, count: Int)
    /// The peer ended its direction (END_STREAM).
    case finished(StreamID, token: Int)
    /// The stream is over: both directions ended if `reset` is nil, otherwise it was cut.
    case closed(StreamID, token: Int, reset: ResetCode?)
    /// There is send window again for a stream for which `sendableCount` was zero.
    case writable(StreamID, token: Int)
    /// The peer opens or answers no stream above `lastStream` any more.
    case goAway(lastStream: Int32, code: ResetCode)
    /// An answer to our PING.
    case pong
    /// The peer's SETTINGS came.
    case settings
}

/// Frames since the last reset of the counts that cost the receiver more than the sender: what a flood is made of.
package struct FrameCounts: Hashable, Sendable {
    /// DATA frames, empty ones included.
    package var data = 0
    /// DATA frames without payload that did not end their stream.
    package var emptyData = 0
    /// PING frames, answers included.
    package var pings = 0
    /// SETTINGS frames that asked for an acknowledgement.
    package var settings = 0
    /// WINDOW_UPDATE frames, of streams and of the connection.
    package var windowUpdates = 0
    /// CONTINUATION frames.
    package var continuations = 0
    /// HEADERS frames, those of requests included.
    package var headers = 0
    /// RST_STREAM for streams that had not been answered yet.
    package var resetsUnanswered = 0
    /// RST_STREAM for all other streams.
    package var resetsAnswered = 0
    /// PRIORITY; frames of unknown types are skipped by the library unseen, at no more cost than their bytes.
    package var others = 0

    package init() {}
}
