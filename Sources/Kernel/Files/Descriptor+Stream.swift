internal import CLinux
internal import Glibc

/// What one read of a nonblocking stream brought.
package enum StreamReading: Sendable {
    /// At least one byte.
    case bytes([UInt8])
    case wouldBlock
    /// The other end sends nothing more, or is gone.
    case ended
}

extension Descriptor {
    /// Reads once from a nonblocking stream.
    /// - Parameter limit: bytes, at least one.
    package borrowing func readOnce(limit: Int) -> StreamReading {
        let number = raw
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max(1, limit)) { buffer, count in
            let result = interruptible { unsafe read(number, buffer.baseAddress, buffer.count) }
            code = result < 0 ? errno : 0
            count = max(0, result)
        }
        if !bytes.isEmpty { return .bytes(bytes) }
        return code == EAGAIN ? .wouldBlock : .ended
    }

    /// Writes once to a nonblocking stream.
    /// - Returns: how many of the bytes; 0 if it would block, nil if the other end is gone.
    package borrowing func writeOnce(_ bytes: ArraySlice<UInt8>) -> Int? {
        let number = raw
        let result = unsafe bytes.withUnsafeBytes { bytes in
            interruptible { unsafe write(number, bytes.baseAddress, bytes.count) }
        }
        if result >= 0 { return result }
        return errno == EAGAIN ? 0 : nil
    }
}
