/// A buffer that takes its block from the pool when the first byte comes and gives it back when the last one has
/// gone.
package struct LazyBuffer: ~Copyable {
    private let pool: BufferPool
    private var buffer: ByteBuffer?

    package init(pool: BufferPool) {
        self.pool = pool
    }

    /// Bytes that are readable.
    package var readableCount: Int {
        switch buffer {
        case .some(let buffer): buffer.readableCount
        case .none: 0
        }
    }

    package var isEmpty: Bool { readableCount == 0 }

    /// Calls `body` with the buffer, made if there is none; it is given back if `body` leaves it empty.
    package mutating func withBuffer<R: ~Copyable, E: Error>(
        _ body: (inout ByteBuffer) throws(E) -> R
    ) throws(E) -> R {
        var current = buffer.take() ?? pool.makeBuffer()
        do throws(E) {
            let result = try body(&current)
            putBack(current)
            return result
        } catch {
            putBack(current)
            throw error
        }
    }

    private mutating func putBack(_ current: consuming ByteBuffer) {
        if !current.isEmpty { buffer = consume current }
    }
}
