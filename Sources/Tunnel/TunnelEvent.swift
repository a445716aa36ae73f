package import HTTP

/// What came out of a tunnel session. `token` is the number that the caller gave to the stream.
package enum TunnelEvent: Hashable, Sendable {
    /// A peer asks for a stream: `request(of:)` has what it asks, until the next `receive`. Accepting side only.
    case connectRequested(StreamID)
    /// The peer's application accepted. Dialling side only.
    case connectAccepted(StreamID, token: Int)
    /// The peer refused with this status (400, 401, 503, ...); the stream is over. Dialling side only.
    case connectRefused(StreamID, token: Int, status: Int)
    /// `count` bytes at `offset` in the span that was received last. Give credit back with `consume` once the
    /// application has them.
    case data(StreamID, token: Int, offset: Int, count: Int)
    /// The peer's FIN.
    case finished(StreamID, token: Int)
    /// The peer's direction has ended in good order and ours, too, or the peer takes no more of it; the token is free.
    case closed(StreamID, token: Int)
    /// The stream was cut; the token is free. With `wasProcessed` false the peer never looked at it, and what
    /// was sent may be sent again elsewhere.
    case reset(StreamID, token: Int, code: ResetCode, wasProcessed: Bool)
    /// There is send window again for a stream for which `sendableCount` was zero.
    case writable(StreamID, token: Int)
    /// The peer sent GOAWAY: open streams go on, new ones need another session. Streams that it will not
    /// process follow as `.reset`.
    case draining
    /// An answer to our PING.
    case pong
    /// The peer's SETTINGS came: `streamCapacity` is known now.
    case settingsReceived
}
