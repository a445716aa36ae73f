internal import CLinux
internal import Glibc

/// What this process may, has and is.
package enum CurrentProcess {
    /// Its number.
    package static var pid: Int32 { getpid() }

    /// Its environment as `NAME=value`, to be given to a child.
    package static var environment: [String] {
        var result: [String] = []
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            result.append(unsafe String(cString: entry))
            unsafe next += 1
        }
        return result
    }

    /// The capabilities of `wanted` that the calling thread lacks, in the order given.
    package static func missingCapabilities(_ wanted: [Capability]) throws(SystemError) -> [Capability] {
        var set: UInt64 = 0
        try retrying("capget") { unsafe mn_effective_capabilities(&set) }
        return wanted.filter { set & 1 << UInt64($0.rawValue) == 0 }
    }

    /// Raises the limit of open files to `wanted`, or as far as the hard limit lets it. The limit that now holds.
    @discardableResult
    package static func raiseDescriptorLimit(to wanted: Int) throws(SystemError) -> Int {
        Int(try retrying("setrlimit") { mn_raise_descriptor_limit(UInt64(max(0, wanted))) })
    }

    /// Refuses, in every thread (or in this one only) and for good, the system calls that a data plane never needs
    /// and an attacker would: namespaces, mounts, other processes' memory, kernel modules, keys, new programs, io_uring. Sets
    /// no_new_privs. Called by the worker before it reads anything.
    package static func denyDangerousCalls(inAllThreads: Bool = true) throws(SystemError) {
        try retrying("seccomp") { mn_deny_dangerous_calls(inAllThreads ? 1 : 0) }
    }

    /// Cores that are online, at least one (sysconf(3)).
    package static var usableCores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Resident memory in bytes of process `pid`; nil if it is gone. /proc/PID/statm, proc(5).
    package static func residentBytes(of pid: Int32 = getpid()) -> Int? {
        guard let text = try? Files.read("/proc/\(pid)/statm", limit: 4096) else { return nil }
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Lets the calling thread sleep; never on an event loop that serves.
    package static func pause(milliseconds: Int32) {
        _ = poll(nil, 0, milliseconds)
    }

    /// Waits for nothing and ends the process at once, without running anything at exit.
    package static func exitNow(code: Int32) -> Never {
        _exit(code)
    }
}

/// The capabilities that the mesh uses (capabilities(7)); the raw value is the kernel's number.
package enum Capability: Int, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case kill = 5
    case setGID = 6
    case setUID = 7
    case setPCAP = 8
    case netAdmin = 12
    case netRaw = 13
    case sysPtrace = 19
    case sysAdmin = 21

    package var description: String {
        switch self {
        case .kill: "CAP_KILL"
        case .setGID: "CAP_SETGID"
        case .setUID: "CAP_SETUID"
        case .setPCAP: "CAP_SETPCAP"
        case .netAdmin: "CAP_NET_ADMIN"
        case .netRaw: "CAP_NET_RAW"
        case .sysPtrace: "CAP_SYS_PTRACE"
        case .sysAdmin: "CAP_SYS_ADMIN"
        }
    }
}
