internal import Glibc

/// A file descriptor that this value owns: closed when the value ends, unless released.
package struct Descriptor: ~Copyable, Sendable {
    /// The number, for a system call or an epoll registration; valid while this value lives.
    package let raw: Int32

    /// Takes ownership of `raw`, which must be open and owned by nobody else.
    package init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Gives up ownership: the caller closes the number.
    package consuming func release() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// Another descriptor of the same open file, closed on exec.
    package borrowing func duplicate() throws(SystemError) -> Descriptor {
        let number = raw
        return Descriptor(owning: try retrying("dup") { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }

    /// Sets or clears O_NONBLOCK.
    package borrowing func setNonblocking(_ isNonblocking: Bool) throws(SystemError) {
        let number = raw
        let flags = try retrying("fcntl") { fcntl(number, F_GETFL) }
        try retrying("fcntl") { fcntl(number, F_SETFL, isNonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) }
    }

    /// Sets or clears FD_CLOEXEC.
    package borrowing func setClosedOnExec(_ isClosed: Bool) throws(SystemError) {
        let number = raw
        try retrying("fcntl") { fcntl(number, F_SETFD, isClosed ? FD_CLOEXEC : 0) }
    }
}
