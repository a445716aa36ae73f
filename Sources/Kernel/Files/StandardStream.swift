internal import Glibc

/// Standard output or error, for whole lines.
package enum StandardStream: Sendable {
    case output
    case error

    /// Writes all of `bytes`; waits if the reader is slow, gives up if it is gone.
    package func write(_ bytes: [UInt8]) {
        let number: Int32 = self == .output ? 1 : 2
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                interruptible {
                    unsafe Glibc.write(number, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                }
            }
            if count > 0 {
                offset += count
            } else if errno == EAGAIN {
                var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&wait, 1, 1000)
            } else {
                return
            }
        }
    }
}
