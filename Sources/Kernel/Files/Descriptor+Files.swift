internal import CLinux
internal import Glibc

/// How a file is opened.
package enum FileAccess: Sendable {
    case read
    /// A directory, for listing or as the base of relative paths.
    case directory
    /// Created if missing, never truncated.
    case readWrite(mode: UInt32)
    case write
    /// Must not exist yet.
    case create(mode: UInt32)

    fileprivate var flags: Int32 {
        switch self {
        case .read: O_RDONLY
        case .directory: O_RDONLY | O_DIRECTORY
        case .readWrite: O_RDWR | O_CREAT
        case .write: O_WRONLY
        case .create: O_WRONLY | O_CREAT | O_EXCL
        }
    }

    fileprivate var mode: UInt32 {
        switch self {
        case .readWrite(let mode), .create(let mode): mode
        case .read, .directory, .write: 0
        }
    }
}

extension Descriptor {
    /// Opens `path`, closed on exec.
    package static func open(_ path: String, _ access: FileAccess) throws(SystemError) -> Descriptor {
        try openAt(AT_FDCWD, path, access)
    }

    /// Opens `path` relative to this directory, closed on exec.
    package borrowing func open(_ path: String, _ access: FileAccess) throws(SystemError) -> Descriptor {
        try Self.openAt(raw, path, access)
    }

    private static func openAt(_ base: Int32, _ path: String, _ access: FileAccess) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try retrying("open \(path)") { unsafe mn_openat(base, path, access.flags, access.mode) })
    }

    /// The file's number within its file system (fstat(2)).
    package borrowing func inode() throws(SystemError) -> UInt64 {
        var status = stat()
        let number = raw
        try retrying("fstat") { unsafe fstat(number, &status) }
        return UInt64(status.st_ino)
    }

    /// Reads from the current position to the end.
    /// - Throws: EFBIG if there are more than `limit` bytes.
    package borrowing func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let number = raw
        while true {
            let count = try retrying("read") {
                unsafe chunk.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
            }
            if count == 0 { return result }
            result += chunk[..<count]
            if result.count > limit { throw SystemError("read", EFBIG) }
        }
    }

    /// Writes all of `bytes`; for files and blocking descriptors.
    package borrowing func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        var offset = 0
        let number = raw
        while offset < bytes.count {
            let start = offset
            offset += try retrying("write") {
                unsafe bytes.withUnsafeBytes {
                    unsafe write(number, $0.baseAddress?.advanced(by: start), $0.count - start)
                }
            }
        }
    }
}
