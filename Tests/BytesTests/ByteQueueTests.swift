import Bytes
import Testing

@Suite struct `A byte queue` {
    @Test func `gives back what it took, in order, over many blocks`() {
        let pool = BufferPool(blockSize: 7, keepAtMost: 2)
        var queue = ByteQueue()
        let sent = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        for start in stride(from: 0, to: 1000, by: 50) {
            let part = Array(sent[start..<(start + 50)])
            queue.append(part.span.bytes, in: pool)
        }
        let count1000 = queue.count
        #expect(count1000 == 1000)
        var received: [UInt8] = []
        while !queue.isEmpty {
            let part = queue.withFront { span in span.withUnsafeBytes { Array($0.prefix(3)) } }
            received += part
            queue.consume(part.count)
        }
        #expect(received == sent)
        #expect(pool.lentCount == 0)
    }

    @Test func `skips what was already written`() {
        let pool = BufferPool(blockSize: 8, keepAtMost: 2)
        var queue = ByteQueue()
        let bytes: [UInt8] = [1, 2, 3, 4]
        queue.append(bytes.span.bytes, from: 3, in: pool)
        let count1 = queue.count
        #expect(count1 == 1)
        #expect(queue.withFront { $0.byteCount } == 1)
    }

    @Test func `consuming more than waits empties it`() {
        let pool = BufferPool(blockSize: 8, keepAtMost: 2)
        var queue = ByteQueue()
        let bytes: [UInt8] = [1, 2, 3, 4]
        queue.append(bytes.span.bytes, in: pool)
        queue.consume(100)
        let count0 = queue.count
        #expect(count0 == 0)
        #expect(pool.lentCount == 0)
    }
}
