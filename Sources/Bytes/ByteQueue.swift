/// Bytes that wait for a slow receiver: first in, first out, in blocks of a pool. Empty, it holds no memory.
///
/// Confined to the loop that owns the pool.
@safe package struct ByteQueue: ~Copyable {
    private let pool: BufferPool
    private var blocks: [Block] = []
    private var head = 0
    /// Bytes that wait.
    package private(set) var count = 0

    private final class Block {
        var buffer: ByteBuffer
        init(_ buffer: consuming ByteBuffer) { self.buffer = buffer }
    }

    package init(pool: BufferPool) {
        self.pool = pool
    }

    package var isEmpty: Bool { count == 0 }

    /// Takes all of `bytes` from `start` on.
    package mutating func append(_ bytes: RawSpan, from start: Int = 0) {
        var offset = start
        while offset < bytes.byteCount {
            let rest = bytes.extracting(droppingFirst: offset)
            let taken = blocks.last.map { $0.buffer.append(rest) } ?? 0
            if taken == 0 { blocks.append(Block(pool.makeBuffer())) }
            offset += taken
            count += taken
        }
    }

    /// Calls `body` with the bytes at the front, those of one block; empty if nothing waits.
    package borrowing func withFront<R>(_ body: (RawSpan) -> R) -> R {
        guard head < blocks.count else { return body(RawSpan()) }
        return blocks[head].buffer.withReadable(body)
    }

    /// Drops `count` bytes from the front.
    package mutating func consume(_ count: Int) {
        var rest = min(max(0, count), self.count)
        self.count -= rest
        while rest > 0, head < blocks.count {
            let taken = min(rest, blocks[head].buffer.readableCount)
            blocks[head].buffer.consume(taken)
            rest -= taken
            if blocks[head].buffer.isEmpty { head += 1 }
        }
        if self.count == 0 {
            blocks = []
            head = 0
        } else if head > 16 {
            blocks.removeFirst(head)
            head = 0
        }
    }
}
