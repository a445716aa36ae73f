import Bytes
import Testing

@Suite struct `A byte buffer` {
    private func bytes(_ buffer: borrowing ByteBuffer) -> [UInt8] {
        buffer.withReadable { span in span.withUnsafeBytes { Array($0) } }
    }

    @Test func `returns what was appended, in order`() {
        let pool = BufferPool(blockSize: 8, keepAtMost: 1)
        var buffer = pool.makeBuffer()
        let three: [UInt8] = [1, 2, 3]
        #expect(buffer.append(three.span.bytes) == 3)
        #expect(bytes(buffer) == [1, 2, 3])
        buffer.consume(1)
        #expect(bytes(buffer) == [2, 3])
    }

    @Test func `appends only what fits, and fits more after compacting`() {
        let pool = BufferPool(blockSize: 4, keepAtMost: 1)
        var buffer = pool.makeBuffer()
        let six: [UInt8] = [1, 2, 3, 4, 5, 6]
        #expect(buffer.append(six.span.bytes) == 4)
        buffer.consume(3)
        let writableCount0 = buffer.writableCount
        #expect(writableCount0 == 0)
        buffer.compact()
        let writableCount3 = buffer.writableCount
        #expect(writableCount3 == 3)
        #expect(bytes(buffer) == [4])
    }

    @Test func `consuming more than there is empties it`() {
        let pool = BufferPool(blockSize: 4, keepAtMost: 1)
        var buffer = pool.makeBuffer()
        buffer.consume(100)
        let readableCount0 = buffer.readableCount
        #expect(readableCount0 == 0)
        let writableCount4 = buffer.writableCount
        #expect(writableCount4 == 4)
    }

    @Test func `a pool frees what nobody had a use for since it was asked last`() {
        let pool = BufferPool(blockSize: 4, keepAtMost: 8)
        func useAtOnce(_ count: Int) {
            guard count > 0 else { return }
            let buffer = pool.makeBuffer()
            useAtOnce(count - 1)
            let isEmpty = buffer.isEmpty
            #expect(isEmpty)
        }
        useAtOnce(3)
        pool.tidy()
        #expect(pool.heldByteCount == 12)
        useAtOnce(1)
        pool.tidy()
        #expect(pool.heldByteCount == 4)
        pool.tidy()
        #expect(pool.heldByteCount == 0)
    }

    @Test func `gives its block back to the pool when it ends`() {
        let pool = BufferPool(blockSize: 4, keepAtMost: 1)
        do {
            let buffer = pool.makeBuffer()
            #expect(pool.lentCount == 1)
            _ = buffer.capacity
        }
        #expect(pool.lentCount == 0)
    }
}
