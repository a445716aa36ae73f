internal import Glibc

extension MessageSocket {
    /// Waits until there is something to receive, the end included; never on an event loop that serves.
    /// - Returns: false if the time was up before.
    package borrowing func waitUntilReadable(until deadline: ContinuousClock.Instant) throws(SystemError) -> Bool {
        while true {
            let left = deadline - .now
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
            var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            let count = unsafe poll(&entry, 1, Int32(clamping: max(0, milliseconds)))
            if count > 0 { return true }
            let code = errno
            if count < 0, code != EINTR { throw SystemError("poll", code) }
            if ContinuousClock.now >= deadline { return false }
        }
    }
}
