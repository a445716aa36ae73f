/// Room in an outgoing buffer for the payload of one or more DATA frames, each behind the gap of nine bytes that
/// its header will fill. Valid only inside the call that hands it out.
///
///     | 9 | payload, 16,375 at most | 9 | payload | ...
@unsafe package struct FrameSpace {
    /// Bytes of a frame header (RFC 9113 section 4.1).
    package static let gap = 9
    /// Payload of one frame: with its header exactly one full TLS record.
    package static let maxPayload = 16_375

    private let base: UnsafeMutableRawPointer?
    /// Payload bytes that all segments have together.
    package let payloadCount: Int

    init(_ writable: UnsafeMutableRawBufferPointer, limit: Int) {
        let frame = unsafe Self.gap + Self.maxPayload
        let whole = writable.count / frame
        let rest = unsafe max(0, writable.count % frame - Self.gap)
        unsafe base = writable.baseAddress
        unsafe payloadCount = max(0, min(whole * Self.maxPayload + rest, limit))
    }

    /// How many segments there are.
    package var segmentCount: Int { unsafe (payloadCount + Self.maxPayload - 1) / Self.maxPayload }

    /// The payload room of frame `index`, 0 through `segmentCount - 1`; all but the last are full.
    package subscript(index: Int) -> UnsafeMutableRawBufferPointer {
        let start = unsafe base.map { unsafe $0 + index * (Self.gap + Self.maxPayload) + Self.gap }
        let count = unsafe max(0, min(Self.maxPayload, payloadCount - index * Self.maxPayload))
        return unsafe UnsafeMutableRawBufferPointer(start: start, count: start == nil ? 0 : count)
    }

    /// Copies `bytes` into the segments as far as they reach; returns how many were copied.
    package func copy(_ bytes: RawSpan) -> Int {
        var copied = 0
        unsafe bytes.withUnsafeBytes { source in
            for index in unsafe 0..<segmentCount where copied < source.count {
                let segment = unsafe self[index]
                let count = min(segment.count, source.count - copied)
                unsafe UnsafeMutableRawBufferPointer(rebasing: segment[..<count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[copied..<(copied + count)]))
                copied += count
            }
        }
        return copied
    }
}

/// Payload that lies in place and waits for its frame headers.
@unsafe struct PendingPush {
    var stream: Int32 = 0
    var remaining = 0
    /// Where the next header goes.
    var cursor: UnsafeMutableRawPointer?
    /// Bytes framed so far, headers included.
    var emitted = 0
}
