internal import CLinux
internal import Glibc

/// A pipe through which bytes go from one socket to another without being copied to this process (splice(2)). Confined to
/// its loop.
///
/// splice(2) knows no MSG_NOSIGNAL, so the process ignores SIGPIPE from the first pipe on.
package final class SplicePipe {
    private let reading: Descriptor
    private let writing: Descriptor
    /// Bytes in it.
    package private(set) var count = 0

    /// Bytes that it takes at once; the kernel may give it less room.
    package static let capacity = 512 * 1024

    private static let ignoringBrokenPipes: Void = SignalSource.ignoreBrokenPipes()

    /// Throws if there are no descriptors left.
    package init() throws(SystemError) {
        Self.ignoringBrokenPipes
        var ends: (Int32, Int32) = (-1, -1)
        try retrying("pipe2") {
            unsafe withUnsafeMutablePointer(to: &ends) { pointer in
                unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) {
                    unsafe mn_pipe($0, Int32(Self.capacity))
                }
            }
        }
        reading = Descriptor(owning: ends.0)
        writing = Descriptor(owning: ends.1)
    }

    /// Takes what `socket` has, as much as there is room for. It may be full of small pages before it is full of bytes, so
    /// that less than its capacity came does not mean that the socket has no more.
    package func fill(from socket: borrowing TCPSocket) -> ReadResult {
        let number = socket.raw
        let result = interruptible { mn_splice(number, writing.raw, Self.capacity) }
        if result > 0 {
            count += result
            return .bytes(result)
        }
        if result == 0 { return .endOfStream }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    /// Gives `socket` as much as it takes; less than all means that it takes no more now.
    package func empty(into socket: borrowing TCPSocket) -> WriteResult {
        let number = socket.raw
        var moved = 0
        while count > 0 {
            let result = interruptible { mn_splice(reading.raw, number, count) }
            guard result > 0 else {
                let code = result == 0 ? EAGAIN : errno
                guard code == EAGAIN else { return .failed(code) }
                return moved > 0 ? .bytes(moved) : .wouldBlock
            }
            count -= min(count, result)
            moved += result
        }
        return .bytes(moved)
    }
}
