internal import CLinux
internal import Glibc

/// Bytes in an anonymous file in memory that nobody can change any more (memfd_create(2)): what one process leaves to
/// the next without a disk. The descriptor is all there is of it; the memory goes with the last one.
package enum SealedMemory {
    /// What must be set: no writing, no other length, and no seal more or less.
    private static let seals = Int32(MN_SEAL_SEAL | MN_SEAL_SHRINK | MN_SEAL_GROW | MN_SEAL_WRITE)

    /// A new file that holds `bytes`, sealed and closed on exec.
    ///
    /// - Parameter name: shown in `/proc/PID/fd`; means nothing else, and need not be unique.
    /// - Throws: what the kernel said, such as ENOMEM.
    package static func make(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> Descriptor {
        let file = Descriptor(owning: try retrying("memfd_create") { unsafe mn_memfd_create(name) })
        try file.writeAll(bytes)
        let number = file.raw
        try retrying("fcntl F_ADD_SEALS") { mn_add_seals(number, seals) }
        return file
    }

    /// Whether `file` is in memory and nobody can change it: what it says now it says for ever.
    package static func isSealed(_ file: borrowing Descriptor) -> Bool {
        let found = mn_get_seals(file.raw)
        return found >= 0 && found & seals == seals
    }

    /// Length of `file` in bytes (fstat(2)).
    package static func size(of file: borrowing Descriptor) throws(SystemError) -> Int {
        var status = stat()
        let number = file.raw
        try retrying("fstat") { unsafe fstat(number, &status) }
        return Int(status.st_size)
    }

    /// All bytes of `file`, wherever its offset is, which every holder of the descriptor shares.
    ///
    /// - Throws: EPERM if it is not sealed, EFBIG if there are more than `limit` bytes.
    package static func read(_ file: borrowing Descriptor, limit: Int) throws(SystemError) -> [UInt8] {
        guard isSealed(file) else { throw SystemError("fcntl F_GET_SEALS", EPERM) }
        let size = try size(of: file)
        guard size <= limit else { throw SystemError("fstat", EFBIG) }
        var bytes = [UInt8](repeating: 0, count: size)
        var offset = 0
        let number = file.raw
        while offset < size {
            let start = offset
            let count = try retrying("pread") {
                unsafe bytes.withUnsafeMutableBytes {
                    unsafe pread(number, $0.baseAddress?.advanced(by: start), $0.count - start, start)
                }
            }
            // The length is sealed, so the end cannot come early; if it does, that is no reason to wait for ever.
            guard count > 0 else { throw SystemError("pread", EIO) }
            offset += count
        }
        return bytes
    }
}
