internal import CLinux
internal import Glibc

/// A file that one process holds locked; the lock ends with the process, however it ends (flock(2)).
package struct FileLock: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// What an attempt brought.
    package enum Outcome: ~Copyable {
        case locked(FileLock)
        /// Another process has it; its number, if it left a readable one.
        case heldByOther(pid: Int32?)
    }

    private init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Takes over the lock that another process holds: it belongs to the open file, so it does not lapse in between,
    /// and ends when the last process has closed it.
    package static func adopt(_ descriptor: consuming Descriptor) -> FileLock {
        FileLock(descriptor)
    }

    /// The number of the locked file, to be passed on while this value lives.
    package var raw: Int32 { descriptor.raw }

    /// Leaves this process's number in the file.
    package borrowing func claim() throws(SystemError) {
        let number = descriptor.raw
        let text = Array("\(getpid())\n".utf8)
        try retrying("ftruncate") { ftruncate(number, 0) }
        // Not at the offset: that is the other process's, too.
        try retrying("pwrite") {
            unsafe text.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
        }
    }

    /// Empties the file, so that nobody is named in it who is gone; the lock itself ends with this value.
    package borrowing func forget() {
        ftruncate(descriptor.raw, 0)
    }

    /// Locks `path`, making the file if it is missing, and leaves this process's number in it.
    package static func acquire(_ path: String) throws(SystemError) -> Outcome {
        let file = try Descriptor.open(path, .readWrite(mode: 0o600))
        let number = file.raw
        do {
            try retrying("flock \(path)") { mn_lock_file(number) }
        } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            let text = (try? file.readAll(limit: 64)) ?? []
            return .heldByOther(pid: Int32(String(decoding: text.prefix { $0 != 10 }, as: UTF8.self)))
        }
        try retrying("ftruncate \(path)") { ftruncate(number, 0) }
        try file.writeAll(Array("\(getpid())\n".utf8))
        return .locked(FileLock(file))
    }
}
