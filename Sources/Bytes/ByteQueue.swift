/// Bytes that wait for a slow receiver: first in, first out, in blocks of a pool. Empty, it holds no memory.
///
/// Confined to the loop that owns the pool. A queue has one pool, which is told with what is put in, as thousands of idle
/// connections have queues.
@safe package struct ByteQueue: ~Copyable {
    /// Nil while nothing waits, as with nearly every connection at nearly every moment.
    private var store: Store?

    private final class Store {
        var blocks: [Block] = []
        var head = 0
        var count = 0
    }

    private final class Block {
        var buffer: ByteBuffer
        init(_ buffer: consuming ByteBuffer) { self.buffer = buffer }
    }

    package init() {}

    /// Bytes that wait.
    package var count: Int { store?.count ?? 0 }

    package var isEmpty: Bool { store == nil }

    /// Takes all of `bytes` from `start` on.
    package mutating func append(_ bytes: RawSpan, from start: Int = 0, in pool: BufferPool) {
        guard start < bytes.byteCount else { return }
        let store = store ?? Store()
        self.store = store
        var offset = start
        while offset < bytes.byteCount {
            let rest = bytes.extracting(droppingFirst: offset)
            let taken = store.blocks.last.map { $0.buffer.append(rest) } ?? 0
            if taken == 0 { store.blocks.append(Block(pool.makeBuffer())) }
            offset += taken
            store.count += taken
        }
    }

    /// Calls `body` with the bytes at the front, those of one block; empty if nothing waits.
    package borrowing func withFront<R>(_ body: (RawSpan) -> R) -> R {
        guard let store, store.head < store.blocks.count else { return body(RawSpan()) }
        return store.blocks[store.head].buffer.withReadable(body)
    }

    /// Drops `count` bytes from the front.
    package mutating func consume(_ count: Int) {
        guard let store else { return }
        var rest = min(max(0, count), store.count)
        store.count -= rest
        while rest > 0, store.head < store.blocks.count {
            let block = store.blocks[store.head]
            let taken = min(rest, block.buffer.readableCount)
            block.buffer.consume(taken)
            rest -= taken
            if block.buffer.isEmpty { store.head += 1 }
        }
        if store.count == 0 {
            self.store = nil
        } else if store.head > 16 {
            store.blocks.removeFirst(store.head)
            store.head = 0
        }
    }
}
