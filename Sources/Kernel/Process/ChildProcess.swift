internal import CLinux
internal import Glibc

/// What a child process is to be.
package struct ChildSpecification: Sendable {
    /// The program; `/proc/self/exe` is this one.
    package var path = "/proc/self/exe"
    /// All arguments, the program's name first.
    package var arguments: [String]
    /// `NAME=value` each.
    package var environment: [String]
    /// Number `i` becomes descriptor `3 + i` of the child; standard input, output and error are inherited, all
    /// others are closed. At most 64.
    package var descriptors: [Int32] = []
    /// User and group to become, with no supplementary group, no capability in any set, the bounding set
    /// included, and no_new_privs; nil keeps everything.
    package var identity: UserIdentity?
    /// Signal to the child when the thread that made it ends; 0 for none (PR_SET_PDEATHSIG).
    package var parentDeathSignal: Int32 = 0
    /// It leads an own session, so signals from the terminal do not reach it.
    package var isSessionLeader = false

    package init(arguments: [String], environment: [String] = []) {
        self.arguments = arguments
        self.environment = environment
    }
}

/// A user and group by number.
package struct UserIdentity: Hashable, Sendable {
    /// The user's number.
    package let uid: UInt32
    /// The group's number.
    package let gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }
}

/// How a process ended.
package enum ProcessExit: Hashable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    /// By a signal; a trap is SIGILL (4) or SIGTRAP (5).
    case killed(signal: Int32)

    package var description: String {
        switch self {
        case .exited(let code): "exited with code \(code)"
        case .killed(let signal): "was ended by signal \(signal)"
        }
    }
}

/// A child that runs, or has ended and was not reaped yet.
package struct ChildProcess: ~Copyable, Sendable {
    /// Its process number; another's once it was reaped.
    package let pid: Int32
    /// A pidfd: readable when the child has ended (pidfd_open(2)).
    package let descriptor: Descriptor

    /// Starts a child. Nothing of Swift runs between fork and exec.
    /// - Throws: what failed here or in the child before it was the new program.
    package static func start(_ specification: ChildSpecification) throws(SystemError) -> ChildProcess {
        var failure = mn_spawn_failure()
        let pid = unsafe withCStrings(specification.arguments) { arguments in
            unsafe withCStrings(specification.environment) { environment in
                unsafe specification.path.withCString { path in
                    unsafe specification.descriptors.withUnsafeBufferPointer { descriptors in
                        var spawn = unsafe mn_spawn()
                        unsafe spawn.path = path
                        unsafe spawn.arguments = arguments
                        unsafe spawn.environment = environment
                        unsafe spawn.descriptors = descriptors.baseAddress
                        unsafe spawn.descriptor_count = Int32(descriptors.count)
                        unsafe spawn.uid = specification.identity?.uid ?? 0
                        unsafe spawn.gid = specification.identity?.gid ?? 0
                        unsafe spawn.drops_privileges = specification.identity == nil ? 0 : 1
                        unsafe spawn.parent_death_signal = specification.parentDeathSignal
                        unsafe spawn.is_session_leader = specification.isSessionLeader ? 1 : 0
                        return unsafe mn_spawn_process(&spawn, &failure)
                    }
                }
            }
        }
        guard pid > 0 else {
            let step = unsafe withUnsafeBytes(of: failure.step) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw SystemError("start \(specification.path): \(step)", failure.code)
        }
        return ChildProcess(
            pid: pid, descriptor: Descriptor(owning: try retrying("pidfd_open") { mn_pidfd_open(pid) }))
    }

    /// Sends it a signal; one that has ended already is no error.
    package borrowing func signal(_ number: Int32) {
        _ = mn_pidfd_signal(descriptor.raw, number)
    }

    /// How it ended; nil if it still runs. Asked once after it ended: that reaps it.
    package borrowing func reap() throws(SystemError) -> ProcessExit? {
        var code: Int32 = 0
        var wasKilled: Int32 = 0
        let number = descriptor.raw
        guard try retrying("waitid", { unsafe mn_reap(number, &code, &wasKilled) }) > 0 else { return nil }
        return wasKilled != 0 ? .killed(signal: code) : .exited(code: code)
    }
}

/// Calls `body` with a null-terminated array of C strings, valid during the call.
private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        // The array has at least the terminating nil, so its base address is never nil.
        unsafe body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
    }
}
