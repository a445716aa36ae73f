/// A fixed block of memory with a readable part in the middle: bytes are appended at its end and
/// consumed at its front.
///
/// The block comes from a `BufferPool` and goes back to it when the value ends, so an idle
/// connection that gives up its buffer holds no memory. Confined to the loop that owns the pool.
///
///     0          readIndex       writeIndex       capacity
///     | consumed |   readable    |    writable    |
@safe package struct ByteBuffer: ~Copyable {
    private let storage: UnsafeMutableRawBufferPointer
    private let pool: BufferPool
    private var readIndex = 0
    private var writeIndex = 0

    init(storage: UnsafeMutableRawBufferPointer, pool: BufferPool) {
        unsafe self.storage = storage
        self.pool = pool
    }

    deinit {
        unsafe pool.takeBack(storage)
    }

    /// Size of the block in bytes.
    package var capacity: Int { unsafe storage.count }

    /// Bytes appended and not yet consumed.
    package var readableCount: Int { writeIndex - readIndex }

    /// Bytes that may still be appended without moving anything.
    package var writableCount: Int { unsafe storage.count - writeIndex }

    package var isEmpty: Bool { readIndex == writeIndex }

    /// Forgets everything.
    package mutating func removeAll() {
        readIndex = 0
        writeIndex = 0
    }

    /// Drops `count` bytes from the front; more than is readable drops all.
    package mutating func consume(_ count: Int) {
        readIndex = min(writeIndex, readIndex + max(0, count))
        if readIndex == writeIndex { removeAll() }
    }

    /// Moves what is readable to the front of the block, so that all free space is writable.
    package mutating func compact() {
        guard readIndex > 0 else { return }
        let count = readableCount
        unsafe UnsafeMutableRawBufferPointer(rebasing: storage[..<count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[readIndex..<writeIndex]))
        readIndex = 0
        writeIndex = count
    }

    /// Appends as many of `bytes` as fit and returns how many did.
    package mutating func append(_ bytes: RawSpan) -> Int {
        let count = min(bytes.byteCount, writableCount)
        guard count > 0 else { return 0 }
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(rebasing: storage[writeIndex..<(writeIndex + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
        }
        writeIndex += count
        return count
    }

    /// Calls `body` with the readable bytes.
    package borrowing func withReadable<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        let span = unsafe UnsafeRawBufferPointer(rebasing: storage[readIndex..<writeIndex]).bytes
        return try body(span)
    }

    /// Calls `body` with the readable bytes as a pointer, for the targets that hand them to C.
    /// The pointer is valid only during the call.
    @unsafe
    package borrowing func withUnsafeReadable<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(rebasing: storage[readIndex..<writeIndex]))
    }

    /// Calls `body` with the writable bytes as a pointer; `body` returns how many it wrote, which become
    /// readable (clamped to what there was). Returns that count.
    @unsafe @discardableResult
    package mutating func withUnsafeWritable<E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) -> Int {
        let written = try unsafe body(UnsafeMutableRawBufferPointer(rebasing: storage[writeIndex...]))
        let count = max(0, min(written, writableCount))
        writeIndex += count
        return count
    }
}

extension ByteBuffer {
    /// The readable bytes as an array.
    package borrowing func readableBytes() -> [UInt8] {
        withReadable { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
    }
}
