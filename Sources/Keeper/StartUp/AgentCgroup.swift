internal import Capture
internal import Kernel

/// The cgroup of the agent's own, by which its sockets are exempt from capture.
///
/// A socket is matched by the cgroup of the process that made it, whoever uses it; so the keeper, which makes the
/// sockets of the pods' namespaces, is in it before it opens the first, and the worker is born in it.
struct AgentCgroup: ~Copyable {
    private let hierarchy: CgroupHierarchy
    private let parent: String
    let cgroup: Cgroup

    static let prefix = "meshnode-agent-"

    /// Makes the cgroup below the one that the process is in, and moves the process there.
    /// - Throws: where there is no cgroup v2, or it is not to be written.
    static func enter() throws(SystemError) -> AgentCgroup {
        CgroupHierarchy.enterHostNamespace()
        let hierarchy = try CgroupHierarchy.open()
        let parent = try CgroupHierarchy.path()
        removeStale(hierarchy, parent)
        let cgroup = try hierarchy.makeChild("\(prefix)\(CurrentProcess.pid)", of: parent)
        try hierarchy.move(CurrentProcess.pid, into: cgroup.path)
        return AgentCgroup(hierarchy: hierarchy, parent: parent, cgroup: cgroup)
    }

    var exemption: AgentExemption { .cgroups([cgroup.id], level: cgroup.level) }

    /// Moves the process back and deletes the cgroup.
    /// - Throws: EBUSY if a child is left in it.
    borrowing func remove() throws(SystemError) {
        try hierarchy.move(CurrentProcess.pid, into: parent)
        try hierarchy.remove(cgroup.path)
    }

    /// Deletes what agents left that were killed. One that still runs keeps its own, even before it moved in.
    private static func removeStale(_ hierarchy: borrowing CgroupHierarchy, _ parent: String) {
        for name in (try? hierarchy.childNames(of: parent)) ?? [] where name.hasPrefix(prefix) {
            guard let pid = Int32(name.dropFirst(prefix.count)), Files.status("/proc/\(pid)") == nil else { continue }
            try? hierarchy.remove(parent == "/" ? "/\(name)" : "\(parent)/\(name)")
        }
    }
}
