internal import HTTP

/// Which end of the tunnel this is.
package enum TunnelRole: Hashable, Sendable {
    /// It opens streams.
    case dialling
    /// It accepts or refuses them.
    case accepting
}

/// The numbers of a tunnel session (tunnel design, "HTTP/2 settings").
package struct TunnelLimits: Hashable, Sendable {
    /// Bytes a peer may send on a new stream before it gets credit. A multiple of a full frame's payload, like every window
    /// that grows from it by doubling: otherwise the end of each window is a frame of a few bytes.
    package var streamWindow: Int32 = 16 * Int32(TunnelSession.maxPayload)
    /// The most that `setStreamWindow` grants.
    package var maxStreamWindow: Int32 = 256 * Int32(TunnelSession.maxPayload)
    /// Bytes a peer may have under way on all streams together.
    package var connectionWindow: Int32 = 16 << 20
    /// Largest frame payload that is accepted, in bytes.
    package var maxFrameSize: UInt32 = 1 << 20
    /// Streams that a dialling peer may have open at once. As many as the library's table of them holds before it
    /// doubles: a session costs as much memory as forty idle streams, which its streams share.
    package var maxConcurrentStreams: UInt32 = 384
    /// Streams that we open on one session at most, whatever the peer allows: as many as we accept ourselves.
    package var maxOwnStreams = 384
    /// Decoded header list that a dialling side accepts, in bytes.
    package var diallingHeaderList: UInt32 = 16 << 10
    /// Decoded header list that an accepting side accepts, in bytes.
    package var acceptingHeaderList: UInt32 = 64 << 10
    /// RST_STREAM that we send at once; below what Envoy and libnghttp2 take for an attack.
    package var resetBurst = 400.0
    /// RST_STREAM that we send per second after that: libnghttp2 peers accept 33.
    package var resetRate = 30.0
    /// When the peer is asked whether it lives, and when an unused session ends.
    package var keepalive = KeepaliveLimits()

    package init() {}

    func http2(_ role: TunnelRole) -> HTTP2Limits {
        HTTP2Limits(
            streamWindow: streamWindow, connectionWindow: connectionWindow, maxFrameSize: maxFrameSize,
            maxConcurrentStreams: maxConcurrentStreams,
            maxHeaderListSize: role == .dialling ? diallingHeaderList : acceptingHeaderList)
    }
}
