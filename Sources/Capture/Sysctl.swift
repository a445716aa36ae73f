internal import CNetfilter

/// A number under /proc/sys of one network namespace, held open: it can be read and written from anywhere, and does
/// not keep the namespace alive.
@safe
struct Sysctl: ~Copyable {
    let name: String
    private let file: Int32

    /// Opens it for the calling thread's network namespace. Where /proc/sys is read-only, as in most containers, it
    /// is opened in a procfs of our own that is mounted nowhere.
    /// - Parameter path: below /proc/sys, `net/netfilter/nf_conntrack_tcp_loose`.
    init(_ path: String) throws(CaptureError) {
        var opened = unsafe mn_open_for_update(Int32(MN_AT_FDCWD), "/proc/sys/" + path)
        if opened == -Int32(MN_EROFS) || opened == -Int32(MN_EACCES) {
            opened = Self.openDetached(path)
        }
        guard opened >= 0 else {
            let hint = opened == -Int32(MN_ENOENT) ? " (is the kernel module loaded?)" : ""
            throw CaptureError(.sysctl, "cannot open /proc/sys/\(path): \(errorText(-opened))\(hint)", errno: -opened)
        }
        name = String(path.map { $0 == "/" ? "." : $0 })
        file = opened
    }

    deinit { mn_close(file) }

    /// - Throws: `sysctl`; with ENOENT where the namespace is gone.
    func read() throws(CaptureError) -> Int {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe mn_read_from_start(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw failure("read", Int32(truncatingIfNeeded: -count)) }
        let digits = bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
            throw CaptureError(.sysctl, "\(name) is not a number")
        }
        return value
    }

    /// - Throws: `sysctl`.
    func write(_ value: Int) throws(CaptureError) {
        let bytes = Array("\(value)\n".utf8)
        let count = unsafe bytes.withUnsafeBytes { unsafe mn_write_at_start(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw failure("write", Int32(truncatingIfNeeded: -count)) }
    }

    private static func openDetached(_ path: String) -> Int32 {
        let directory = mn_detached_procfs()
        guard directory >= 0 else { return directory }
        defer { mn_close(directory) }
        return unsafe mn_open_for_update(directory, "sys/" + path)
    }

    private func failure(_ verb: String, _ number: Int32) -> CaptureError {
        CaptureError(.sysctl, "cannot \(verb) \(name): \(errorText(number))", errno: number)
    }
}
