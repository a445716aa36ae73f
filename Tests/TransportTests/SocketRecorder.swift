import Addressing
import Bytes
import DataPlaneTestSupport
import Kernel
import TestSupport
import Testing

@testable import Transport

/// Notes what a `StreamSocket` tells, and reads if it is asked to.
final class SocketRecorder: StreamSocketDelegate {
    var isConnected = false
    var failures: [Int32] = []
    var drained = 0
    var received: [UInt8] = []
    var hasEnded = false
    /// Reads whatever comes.
    var isReading: Bool

    init(isReading: Bool = true) { self.isReading = isReading }

    func socketConnected(_ socket: StreamSocket) { isConnected = true }
    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) { failures.append(errorNumber) }
    func socketDrained(_ socket: StreamSocket, count: Int) { drained += count }

    func socketReadable(_ socket: StreamSocket) {
        let pool = BufferPool(blockSize: 16 << 10, keepAtMost: 1)
        while isReading, socket.mayRead {
            var buffer = pool.makeBuffer()
            switch socket.read(into: &buffer) {
            case .bytes: received += buffer.readableBytes()
            case .endOfStream: hasEnded = true
            case .wouldBlock, .failed: return
            }
        }
    }
}

extension [UInt8] {
    /// `send` of the whole array.
    func send(on socket: StreamSocket) -> Int { socket.send(span.bytes) }
}
