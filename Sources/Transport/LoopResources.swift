package import Bytes
package import Kernel
package import Tunnel

/// What all connections of one event loop share: the loop, the pools of their buffers, and scratch space that
/// is used and emptied within one event.
package final class LoopResources {
    package let loop: EventLoop
    /// Blocks for bytes that wait for a slow receiver: 64 KiB, four full DATA frames.
    package let pendingPool = BufferPool(blockSize: 64 * 1024, keepAtMost: 64)
    /// Blocks for a tunnel's outgoing plaintext, held from the first byte of a batch to its end.
    let plaintextPool = BufferPool(blockSize: LoopResources.plaintextBlockSize, keepAtMost: 8)
    /// Blocks for sealed records: a plaintext block, and what TLS 1.3 adds to each record of it.
    let ciphertextPool = BufferPool(blockSize: LoopResources.plaintextBlockSize + 32 * 1024, keepAtMost: 16)
    /// The numbers of every tunnel's session.
    let tunnelLimits: TunnelLimits
    private let scratchPool = BufferPool(blockSize: LoopResources.scratchBlockSize, keepAtMost: 4)

    static let plaintextBlockSize = mostRecords * fullRecord
    /// As many sealed records as a peer of our own sends at once, or each batch would leave a piece of one behind.
    private static let scratchBlockSize = mostRecords * (fullRecord + sealing)
    /// Records that a tunnel seals and sends at once: with half as many bulk costs a tenth more, mostly for the wake-ups
    /// of whoever receives them, and with twice as many no less.
    static let mostRecords = 32
    /// The most that a TLS record holds, in bytes (RFC 8446 section 5.1).
    private static let fullRecord = 16 * 1024
    /// What sealing adds to it: header, content type, tag.
    private static let sealing = 22

    /// Pipes for what goes from one socket to another as it is.
    package let pipes = PipePool()

    /// What the streams of all loops may be granted together.
    let windows: WindowBudget

    /// - Parameters:
    ///   - windows: the same for all loops of the worker.
    ///   - tunnelLimits: the numbers of every tunnel's session.
    package init(
        loop: EventLoop, windows: WindowBudget = WindowBudget(), tunnelLimits: TunnelLimits = TunnelLimits()
    ) {
        self.loop = loop
        self.windows = windows
        self.tunnelLimits = tunnelLimits
    }

    /// Memory in the buffers of the loop.
    package var bufferByteCount: Int {
        pendingPool.heldByteCount + plaintextPool.heldByteCount + ciphertextPool.heldByteCount
            + scratchPool.heldByteCount
    }

    /// Frees the buffers that nobody has used since the last call.
    package func tidy() {
        for pool in [pendingPool, plaintextPool, ciphertextPool, scratchPool] { pool.tidy() }
        pipes.tidy()
    }

    /// An empty buffer for use within one event.
    package func makeScratch() -> ByteBuffer { scratchPool.makeBuffer() }
}
