import SwiftProtobuf

/// The frames of the local channel.
///
/// ```
///  0       1       2       3       4
/// +-------+-------+-------+-------+----------------
/// | length, big endian, in bytes  | Envelope ...
/// +-------+-------+-------+-------+----------------
/// ```
package enum FrameCodec {
    /// The longest envelope, in bytes: 64 MiB, room for some 200,000 workloads.
    package static let maximumLength = 64 << 20
    /// Bytes of the length.
    static let headerLength = 4

    /// The frame that holds `message`.
    /// - Throws: `frameTooLong`, or `notRepresentable` if the message cannot be encoded.
    package static func frame(_ message: ChannelMessage) throws(XDSError) -> [UInt8] {
        let envelope = try message.envelope
        let content: [UInt8]
        do {
            content = try envelope.serializedBytes()
        } catch {
            throw XDSError(.notRepresentable, "a message cannot be encoded: \(error)")
        }
        guard content.count <= maximumLength, let length = UInt32(exactly: content.count) else {
            throw XDSError(.frameTooLong, "a message of \(content.count) bytes is longer than \(maximumLength)")
        }
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + content
    }
}

/// Takes frames out of a stream of bytes, however the stream is cut. After an error the stream cannot be read on.
package struct FrameDecoder: ~Copyable, Sendable {
    private var bytes: [UInt8] = []
    /// Where the next frame begins in `bytes`.
    private var start = 0

    package init() {}

    /// Bytes that were received and not given out yet.
    package var bufferedByteCount: Int { bytes.count - start }

    /// More of the stream.
    package mutating func received(_ more: some Collection<UInt8>) {
        if start > 0, start == bytes.count || start > 65536 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next message; nil until more was received.
    /// - Throws: `frameTooLong` or `malformedMessage`: the peer is broken, close the connection.
    package mutating func next() throws(XDSError) -> ChannelMessage? {
        guard bufferedByteCount >= FrameCodec.headerLength else { return nil }
        let contentStart = start + FrameCodec.headerLength
        let length = bytes[start..<contentStart].reduce(0) { $0 << 8 | Int($1) }
        guard length <= FrameCodec.maximumLength else {
            throw XDSError(.frameTooLong, "the peer announces \(length) bytes, more than \(FrameCodec.maximumLength)")
        }
        guard bytes.count - contentStart >= length else { return nil }
        let envelope: Meshnode_Wire_Envelope
        do {
            envelope = try Meshnode_Wire_Envelope(serializedBytes: Array(bytes[contentStart..<(contentStart + length)]))
        } catch {
            throw XDSError(.malformedMessage, "a frame of \(length) bytes is no message: \(error)")
        }
        start = contentStart + length
        return try ChannelMessage(envelope)
    }
}
