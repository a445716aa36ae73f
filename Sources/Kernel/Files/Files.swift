internal import CLinux
internal import Glibc

/// Whole files and directories, by path.
package enum Files {
    /// The contents of `path`.
    /// - Throws: EFBIG if it has more than `limit` bytes.
    package static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        do {
            return try Descriptor.open(path, .read).readAll(limit: limit)
        } catch {
            throw SystemError(error.call.hasSuffix(path) ? error.call : "\(error.call) \(path)", error.code)
        }
    }

    /// Replaces `path` in one step: a reader sees the old contents or the new, never a part. The new file is
    /// written beside it, given `mode` whatever the umask, and synced before the rename.
    package static func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(SystemError) {
        let temporary = "\(path).\(getpid()).new"
        try? remove(temporary)
        do {
            let file = try Descriptor.open(temporary, .create(mode: mode))
            let number = file.raw
            try retrying("fchmod \(path)") { fchmod(number, mode) }
            try file.writeAll(bytes)
            try retrying("fsync \(path)") { fsync(number) }
            try retrying("rename \(path)") { unsafe mn_rename(temporary, path) }
        } catch {
            try? remove(temporary)
            throw error
        }
    }

    /// Deletes a file or socket.
    package static func remove(_ path: String) throws(SystemError) {
        try retrying("unlink \(path)") { unsafe unlink(path) }
    }

    /// Makes the directory `path` and those above it that are missing; one that exists keeps its mode.
    package static func makeDirectory(_ path: String, mode: UInt32) throws(SystemError) {
        var prefix = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            prefix += "/\(part)"
            let directory = prefix
            if unsafe mkdir(directory, mode) == 0 { continue }
            let code = errno
            if code != EEXIST { throw SystemError("mkdir \(directory)", code) }
        }
    }

    /// Sets owner and group of `path`; for a symbolic link, its own.
    package static func setOwner(_ path: String, uid: UInt32, gid: UInt32) throws(SystemError) {
        try retrying("lchown \(path)") { unsafe lchown(path, uid, gid) }
    }

    /// The names in directory `path` without `.` and `..`, in no order.
    package static func list(_ path: String) throws(SystemError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw SystemError("opendir \(path)", errno) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// What `path` is, links followed; nil if it is not there or not to be seen.
    package static func status(_ path: String) -> FileStatus? {
        var status = Glibc.stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return FileStatus(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            isDirectory: status.st_mode & S_IFMT == S_IFDIR, isSocket: status.st_mode & S_IFMT == S_IFSOCK,
            mode: status.st_mode & 0o7777)
    }
}

/// What stat(2) says of a file.
package struct FileStatus: Hashable, Sendable {
    /// The file system's number.
    package let device: UInt64
    /// The file's number within its file system.
    package let inode: UInt64
    /// Whether it is a directory.
    package let isDirectory: Bool
    /// Whether it is a unix socket.
    package let isSocket: Bool
    /// Permission bits.
    package let mode: UInt32
}
