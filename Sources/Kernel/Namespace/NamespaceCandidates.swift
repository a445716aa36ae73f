internal import CLinux
internal import Glibc

/// A network namespace of this machine, found but not opened.
package struct NamespaceCandidate: Hashable, Sendable {
    /// Where it can be opened, as long as the file or process lives.
    package let path: String
    /// See `NetworkNamespace.inode`.
    package let inode: UInt64
}

/// Finds the network namespaces of this machine: the named ones and those of processes.
package enum NamespaceCandidates {
    /// Where tools bind namespaces to names: iproute2 and containerd, docker.
    package static let defaultDirectories = ["/run/netns", "/run/docker/netns"]

    /// Every namespace once, but the calling thread's own. A named one is told by its name.
    /// Needs CAP_SYS_PTRACE to see other users' processes.
    package static func list(directories: [String] = defaultDirectories) -> [NamespaceCandidate] {
        var seen: Set<UInt64> = []
        if let own = Files.status("/proc/thread-self/ns/net") { seen.insert(own.inode) }
        let nsfs = Files.status("/proc/thread-self/ns/net")?.device
        var result: [NamespaceCandidate] = []
        func add(_ path: String) {
            // A name whose namespace was unmounted is an ordinary file on another device.
            guard let status = Files.status(path), status.device == nsfs, seen.insert(status.inode).inserted else {
                return
            }
            result.append(NamespaceCandidate(path: path, inode: status.inode))
        }
        for directory in directories {
            for name in ((try? Files.list(directory)) ?? []).sorted() { add("\(directory)/\(name)") }
        }
        for pid in processIDs() { add("/proc/\(pid)/ns/net") }
        return result
    }

    /// The oldest first, as far as numbers tell.
    private static func processIDs() -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.sorted()
    }
}
