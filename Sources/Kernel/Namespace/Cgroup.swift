internal import CLinux
internal import Glibc

/// The cgroup v2 hierarchy, as far as the calling thread's cgroup namespace shows it (cgroups(7)).
package struct CgroupHierarchy: ~Copyable, Sendable {
    private let root: Descriptor

    /// Opens the hierarchy through a mount of its own, so that it matters neither where it is mounted nor whether it is
    /// mounted read-only; where the kernel cannot do that, through `/sys/fs/cgroup` or its `unified` part.
    /// Needs CAP_SYS_ADMIN.
    /// - Throws: if there is no cgroup v2 here.
    package static func open() throws(SystemError) -> CgroupHierarchy {
        let number = mn_open_cgroup2()
        if number >= 0 { return CgroupHierarchy(root: Descriptor(owning: number)) }
        let first = SystemError("mount cgroup2", errno)
        for path in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] where Files.status("\(path)/cgroup.procs") != nil {
            return CgroupHierarchy(root: try Descriptor.open(path, .directory))
        }
        throw first
    }

    /// Puts the calling thread into the machine's cgroup namespace, so that paths and levels are those that the host's
    /// rules count. Keeps its own where it may not see the other (a container without the host's processes).
    /// Needs CAP_SYS_ADMIN and CAP_SYS_PTRACE.
    /// - Returns: whether the thread is in the first process's namespace now.
    @discardableResult
    package static func enterHostNamespace() -> Bool {
        guard let host = Files.status("/proc/1/ns/cgroup"), let file = try? Descriptor.open("/proc/1/ns/cgroup", .read)
        else { return false }
        if host == Files.status("/proc/thread-self/ns/cgroup") { return true }
        return mn_setns(file.raw, Int32(MN_CLONE_NEWCGROUP)) == 0
    }

    /// The path of process `pid`'s cgroup from the root of the hierarchy: `/` or `/a/b`.
    package static func path(of pid: Int32 = getpid()) throws(SystemError) -> String {
        let text = String(decoding: try Files.read("/proc/\(pid)/cgroup", limit: 65_536), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("0::/") {
            return String(line.dropFirst(3))
        }
        throw SystemError("cgroup of process \(pid)", ENOENT)
    }

    /// Makes the cgroup `name` below `parent` unless it is there.
    package borrowing func makeChild(_ name: String, of parent: String) throws(SystemError) -> Cgroup {
        let path = parent == "/" ? "/\(name)" : "\(parent)/\(name)"
        let number = root.raw
        do {
            try retrying("mkdir cgroup \(path)") { unsafe mn_mkdirat(number, relative(path), 0o755) }
        } catch {
            if error.code != EEXIST { throw error }
        }
        return try cgroup(path)
    }

    /// The cgroup at `path`.
    package borrowing func cgroup(_ path: String) throws(SystemError) -> Cgroup {
        Cgroup(path: path, id: try root.open(relative(path), .directory).inode())
    }

    /// Moves process `pid`, all of its threads, into the cgroup at `path`.
    package borrowing func move(_ pid: Int32, into path: String) throws(SystemError) {
        try root.open("\(relative(path))/cgroup.procs", .write).writeAll(Array("\(pid)".utf8))
    }

    /// The names of the cgroups directly below the one at `path`.
    package borrowing func childNames(of path: String) throws(SystemError) -> [String] {
        let directory = "/proc/self/fd/\(root.raw)/\(relative(path))"
        return try Files.list(directory).filter { Files.status("\(directory)/\($0)")?.isDirectory == true }
    }

    /// Deletes the cgroup at `path`, which must hold no process and no cgroup.
    package borrowing func remove(_ path: String) throws(SystemError) {
        let number = root.raw
        try retrying("rmdir cgroup \(path)") { unsafe mn_unlinkat(number, relative(path), AT_REMOVEDIR) }
    }

    private func relative(_ path: String) -> String { "." + (path == "/" ? "" : path) }
}

/// One cgroup, as nftables matches it.
package struct Cgroup: Hashable, Sendable {
    /// From the root of the hierarchy: `/` or `/a/b`.
    package let path: String
    /// The kernel's number for it: the inode of its directory. Another after it was deleted and made again.
    package let id: UInt64

    package init(path: String, id: UInt64) {
        self.path = path
        self.id = id
    }

    /// How deep it is: 0 for the root, 1 for its children.
    package var level: UInt32 { UInt32(truncatingIfNeeded: path.split(separator: "/").count) }
}
