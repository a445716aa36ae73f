internal import CLinux
internal import Glibc

/// A network namespace of this machine, found but not opened.
package struct NamespaceCandidate: Hashable, Sendable {
    /// Where it can be opened, as long as the file or process lives.
    package let path: String
    /// See `NetworkNamespace.inode`.
    package let inode: UInt64

    package init(path: String, inode: UInt64) {
        self.path = path
        self.inode = inode
    }
}

/// A process in a network namespace that is neither this thread's nor the machine's first.
package struct ProcessNamespace: Sendable {
    /// The process.
    package let pid: Int32
    /// When it was started, in ticks since the machine was (proc_pid_stat(5), field 22).
    package let startedAt: UInt64
    /// See `NetworkNamespace.inode`.
    package let inode: UInt64
    /// What /proc/PID/cgroup says: a line for each hierarchy, `number:controllers:/path` (cgroups(7)).
    package let cgroups: String

    /// Where the namespace can be opened, as long as the process lives.
    package var path: String { "/proc/\(pid)/ns/net" }
}

/// Finds the network namespaces of this machine: the named ones and those of processes.
package enum NamespaceCandidates {
    /// Where tools bind namespaces to names: iproute2 and containerd, docker.
    package static let defaultDirectories = ["/run/netns", "/run/docker/netns"]

    /// Every namespace once, but the calling thread's own and the machine's first. A named one is told by its name.
    /// Needs CAP_SYS_PTRACE to see other users' processes.
    package static func list(directories: [String] = defaultDirectories) -> [NamespaceCandidate] {
        var seen: Set<UInt64> = []
        let named = named(in: directories).filter { seen.insert($0.inode).inserted }
        let others = processIDs().compactMap { pid -> NamespaceCandidate? in
            guard let inode = foreignInode(of: pid, own), seen.insert(inode).inserted else { return nil }
            return NamespaceCandidate(path: "/proc/\(pid)/ns/net", inode: inode)
        }
        return named + others
    }

    /// The named namespaces, but the calling thread's own and the machine's first, in the order of directories and
    /// names. One with two names is there twice.
    package static func named(in directories: [String]) -> [NamespaceCandidate] {
        let own = own
        let nsfs = Files.status("/proc/thread-self/ns/net")?.device
        return directories.flatMap { directory in
            ((try? Files.list(directory)) ?? []).sorted().compactMap { name in
                let path = "\(directory)/\(name)"
                // A name whose namespace was unmounted is an ordinary file on another device.
                guard let status = Files.status(path), status.device == nsfs, !own.contains(status.inode) else {
                    return nil
                }
                return NamespaceCandidate(path: path, inode: status.inode)
            }
        }
    }

    /// The processes in other namespaces than the calling thread's and the machine's first; the oldest first.
    /// Needs CAP_SYS_PTRACE to see other users' processes.
    package static func processes() -> [ProcessNamespace] {
        let own = own
        return processIDs().compactMap { process($0, own) }
            .sorted { ($0.startedAt, $0.pid) < ($1.startedAt, $1.pid) }
    }

    private static func process(_ pid: Int32, _ own: Set<UInt64>) -> ProcessNamespace? {
        // One that ends between two looks is none.
        guard let inode = foreignInode(of: pid, own), let start = startTime(of: pid),
            let cgroups = try? Files.read("/proc/\(pid)/cgroup", limit: 65_536)
        else { return nil }
        return ProcessNamespace(
            pid: pid, startedAt: start, inode: inode, cgroups: String(decoding: cgroups, as: UTF8.self))
    }

    /// The name of the program, field 2, is in parentheses and may hold anything, parentheses too.
    private static func startTime(of pid: Int32) -> UInt64? {
        guard let bytes = try? Files.read("/proc/\(pid)/stat", limit: 4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        // Field 3 is the first behind the name.
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self))
    }

    /// The namespaces that are no pod's: the calling thread's and the first process's.
    private static var own: Set<UInt64> {
        Set(["/proc/thread-self/ns/net", "/proc/1/ns/net"].compactMap { Files.status($0)?.inode })
    }

    private static func foreignInode(of pid: Int32, _ own: Set<UInt64>) -> UInt64? {
        guard let inode = Files.status("/proc/\(pid)/ns/net")?.inode, !own.contains(inode) else { return nil }
        return inode
    }

    /// The oldest first, as far as numbers tell.
    private static func processIDs() -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.sorted()
    }
}
