/// What a session advertises to its peer and insists on.
package struct HTTP2Limits: Hashable, Sendable {
    /// Bytes a peer may send on a new stream before it gets credit.
    package var streamWindow: Int32
    /// Bytes a peer may have under way on all streams together.
    package var connectionWindow: Int32
    /// Largest frame payload that is accepted, in bytes: 16,384 through 16,777,215.
    package var maxFrameSize: UInt32
    /// Streams that the peer may have open at once; only a server says so.
    package var maxConcurrentStreams: UInt32
    /// Decoded size of a header block (name + value + 32 for each field) that is advertised. A block over it
    /// resets its stream; one over four times as much ends the session.
    package var maxHeaderListSize: UInt32
    /// CONTINUATION frames accepted for one header block.
    package var maxContinuations: Int

    /// - Parameters: see the members of the same names.
    package init(
        streamWindow: Int32 = 256 << 10, connectionWindow: Int32 = 16 << 20, maxFrameSize: UInt32 = 1 << 20,
        maxConcurrentStreams: UInt32 = 200, maxHeaderListSize: UInt32 = 64 << 10, maxContinuations: Int = 8
    ) {
        self.streamWindow = streamWindow
        self.connectionWindow = connectionWindow
        self.maxFrameSize = maxFrameSize
        self.maxConcurrentStreams = maxConcurrentStreams
        self.maxHeaderListSize = maxHeaderListSize
        self.maxContinuations = maxContinuations
    }

    /// Bytes of decoded header fields that one call of `receive` may bring, over all its streams.
    var maxHeaderBytesPerInput: Int { Int(maxHeaderListSize) * 16 }
}
