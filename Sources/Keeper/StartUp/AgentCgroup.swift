internal import Capture
internal import Kernel

/// The cgroup of the agent's own, by which its sockets are exempt from capture.
///
/// A socket is matched by the cgroup of the process that made it, whoever uses it; so the keeper, which makes the
/// sockets of the pods' namespaces, is in it before it opens the first, and the worker is born in it.
final class AgentCgroup {
    private let hierarchy: CgroupHierarchy
    private let parent: String
    let cgroup: Cgroup

    private init(hierarchy: consuming CgroupHierarchy, parent: String, cgroup: Cgroup) {
        self.hierarchy = hierarchy
        self.parent = parent
        self.cgroup = cgroup
    }

    static let prefix = "meshnode-agent-"

    /// Whether agents can be told by their cgroup here.
    static var isPossible: Bool {
        CgroupHierarchy.enterHostNamespace()
        do {
            _ = try CgroupHierarchy.open()
            return true
        } catch {
            return false
        }
    }

    /// Makes the cgroup below the one that the process is in, and moves the process there.
    /// - Parameter level: how deep it is to be, so that one rule tells it and that of an agent before it; nil:
    ///   directly below.
    /// - Throws: where there is no cgroup v2, or it is not to be written; ERANGE if the process is too deep for `level`.
    static func enter(level: UInt32? = nil) throws(SystemError) -> AgentCgroup {
        CgroupHierarchy.enterHostNamespace()
        let hierarchy = try CgroupHierarchy.open()
        // Started by a process of another agent it is that agent's sibling, not a part of it.
        let parent = outside(try CgroupHierarchy.path())
        removeStale(hierarchy, parent)
        let first = depth(parent) + 1
        guard first <= level ?? first else { throw SystemError("cgroup below \(parent)", SystemError.outOfRange) }
        let name = freeName(hierarchy, parent)
        var cgroup = try hierarchy.makeChild(name, of: parent)
        do {
            for _ in 0..<((level ?? first) - first) { cgroup = try hierarchy.makeChild(name, of: cgroup.path) }
            try hierarchy.move(CurrentProcess.pid, into: cgroup.path)
        } catch {
            remove(hierarchy, cgroup.path)
            throw error
        }
        return AgentCgroup(hierarchy: hierarchy, parent: parent, cgroup: cgroup)
    }

    /// What exempts this agent alone.
    var exemption: AgentExemption { .cgroups([cgroup.id], level: cgroup.level) }

    /// Moves the process back and deletes the cgroup.
    /// - Throws: EBUSY if a child is left in it.
    func remove() throws(SystemError) {
        try hierarchy.move(CurrentProcess.pid, into: parent)
        try hierarchy.remove(cgroup.path)
        Self.remove(hierarchy, Self.above(cgroup.path))
    }

    /// Deletes the cgroup of an agent before this one, unless a process is left in it.
    /// - Returns: whether it is gone, and so needs no exemption any more.
    func removeForeign(_ other: InheritedAgent.ExemptCgroup) -> Bool {
        guard let found = try? hierarchy.cgroup(other.path), found.id == other.id else { return true }
        guard other.path.split(separator: "/").last?.hasPrefix(Self.prefix) == true else { return false }
        do {
            try hierarchy.remove(other.path)
        } catch {
            return false
        }
        Self.remove(hierarchy, Self.above(other.path))
        return true
    }

    /// Deletes `path` and what is above it as far as it is of agents.
    private static func remove(_ hierarchy: borrowing CgroupHierarchy, _ path: String) {
        var path = path
        while path.split(separator: "/").last?.hasPrefix(prefix) == true {
            guard (try? hierarchy.remove(path)) != nil else { return }
            path = above(path)
        }
    }

    /// Deletes what agents left that were killed. One that still runs keeps its own, even before it moved in.
    private static func removeStale(_ hierarchy: borrowing CgroupHierarchy, _ parent: String) {
        for name in (try? hierarchy.childNames(of: parent)) ?? [] where name.hasPrefix(prefix) {
            let digits = name.dropFirst(prefix.count).prefix { $0.isASCII && $0.isNumber }
            guard let pid = Int32(digits), Files.status("/proc/\(pid)") == nil else { continue }
            var path = below(parent, name)
            while let inner = (try? hierarchy.childNames(of: path))?.first(where: { $0.hasPrefix(prefix) }) {
                path = below(path, inner)
            }
            remove(hierarchy, path)
        }
    }

    private static func freeName(_ hierarchy: borrowing CgroupHierarchy, _ parent: String) -> String {
        let taken = (try? hierarchy.childNames(of: parent)) ?? []
        let name = "\(prefix)\(CurrentProcess.pid)"
        guard taken.contains(name) else { return name }
        return (2...).lazy.map { "\(name).\($0)" }.first { !taken.contains($0) } ?? name
    }

    private static func outside(_ path: String) -> String {
        var path = path
        while path.split(separator: "/").last?.hasPrefix(prefix) == true { path = above(path) }
        return path
    }

    private static func above(_ path: String) -> String {
        "/" + path.split(separator: "/").dropLast().joined(separator: "/")
    }

    private static func below(_ parent: String, _ name: String) -> String {
        parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }

    private static func depth(_ path: String) -> UInt32 { UInt32(clamping: path.split(separator: "/").count) }
}
