internal import Bytes
internal import Kernel

/// What a client says before its connection is accepted: sent at once, which saves a round trip and a record, and kept
/// until the answer, to be sent again if another endpoint is tried.
package struct EarlyBytes {
    /// Bytes that are kept at most (tunnel design, "CONNECT"). What comes after waits in the client's socket.
    package static let limit = 16 * 1024

    private var bytes: [UInt8] = []
    private var sent: UInt16 = 0
    /// Counts the streams that it was sent on.
    private var attempt: UInt16 = 0
    /// The client has said all, and ended with FIN.
    package private(set) var hasEnded = false

    package init() {}

    /// Bytes that were taken from the client.
    package var count: Int { bytes.count }

    /// Nothing was taken, not even an end.
    package var isEmpty: Bool { bytes.isEmpty && !hasEnded }

    /// Nothing waits to be sent.
    package var isSent: Bool { sentCount == bytes.count }

    private var sentCount: Int {
        get { Int(sent) }
        set { sent = UInt16(clamping: newValue) }
    }

    /// Bytes that may still be taken.
    var room: Int { hasEnded ? 0 : Self.limit - bytes.count }

    mutating func append(_ more: RawSpan) {
        unsafe more.withUnsafeBytes { more in unsafe bytes.append(contentsOf: more) }
    }

    mutating func ended() { hasEnded = true }

    /// The next stream has had nothing of it.
    package mutating func beginAgain() {
        sentCount = 0
        attempt &+= 1
    }

    /// Gives what waits to `body`, which returns how many bytes it took; the same with those counted. To be called on a
    /// copy: `body` may fail the stream, and then its owner begins again on another.
    package func sending(_ body: (RawSpan) -> Int) -> EarlyBytes {
        guard !isSent else { return self }
        var next = self
        let count = unsafe body(bytes.span.bytes.extracting(droppingFirst: sentCount))
        next.sentCount += max(0, min(count, bytes.count - sentCount))
        return next
    }

    /// Takes note of what `sending` came to, unless it was begun again meanwhile.
    package mutating func sent(_ next: EarlyBytes) {
        if next.attempt == attempt { sentCount = next.sentCount }
    }

    /// Takes from `source` what is there, as much as there is room for. Nil if it is broken.
    ///
    /// - Returns: whether anything came.
    package mutating func read(from source: StreamSocket, _ resources: LoopResources) -> Bool? {
        var hasRead = false
        while source.mayRead, room > 0 {
            var buffer = resources.makeScratch()
            switch source.read(into: &buffer, atMost: room) {
            case .bytes:
                buffer.withReadable { append($0) }
                hasRead = true
            case .wouldBlock: return hasRead
            case .endOfStream: ended()
            case .failed: return nil
            }
        }
        return hasRead
    }
}
