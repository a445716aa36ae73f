/// Blocks of one size for the buffers of one event loop, kept for reuse up to a bound.
///
/// Confined to its loop. Blocks over the bound are freed when they come back, so a burst does not
/// stay in memory for ever.
@safe package final class BufferPool {
    /// Size of each block in bytes.
    package let blockSize: Int
    private let keepAtMost: Int
    private var free: [UnsafeMutableRawBufferPointer] = unsafe []
    /// The fewest that were free at once since `tidy`: nobody had a use for them.
    private var fewestFree = 0
    /// Blocks that are lent out now.
    package private(set) var lentCount = 0

    /// Memory that it holds: what is lent out and what is kept for reuse.
    package var heldByteCount: Int { unsafe (lentCount + free.count) * blockSize }

    /// - Parameters:
    ///   - blockSize: bytes per block, at least 1.
    ///   - keepAtMost: how many free blocks are kept for reuse.
    package init(blockSize: Int, keepAtMost: Int) {
        self.blockSize = max(1, blockSize)
        self.keepAtMost = max(0, keepAtMost)
    }

    deinit {
        unsafe free.forEach { unsafe $0.deallocate() }
    }

    /// An empty buffer of `blockSize` bytes.
    package func makeBuffer() -> ByteBuffer {
        lentCount += 1
        let block = unsafe free.popLast() ?? .allocate(byteCount: blockSize, alignment: 16)
        fewestFree = min(fewestFree, unsafe free.count)
        return unsafe ByteBuffer(storage: block, pool: self)
    }

    /// Frees the blocks that nobody has used since the last call. To be called every few seconds, so that what a burst
    /// needed does not stay.
    package func tidy() {
        for _ in 0..<fewestFree { unsafe free.popLast()?.deallocate() }
        fewestFree = unsafe free.count
    }

    func takeBack(_ block: UnsafeMutableRawBufferPointer) {
        lentCount -= 1
        if unsafe free.count < keepAtMost {
            unsafe free.append(block)
        } else {
            unsafe block.deallocate()
        }
    }
}
