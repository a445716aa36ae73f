/// Tells by its cgroups which Kubernetes pod a process belongs to.
///
/// The kubelet names a pod's cgroup, below one that is called kubepods, after the pod's UID. With the driver `cgroupfs`
/// `/kubepods/besteffort/pod<uid>/...`, with `systemd` `/kubepods.slice/.../kubepods-besteffort-pod<uid>.slice/...`,
/// where each hyphen of the UID is an underscore; pods of the guaranteed class have no class in it, and a prefix may stand
/// before `kubepods`.
enum PodCgroup {
    /// The UID of the pod.
    /// - Parameter text: the contents of /proc/PID/cgroup.
    /// - Returns: nil if the process is in no pod's cgroup, or its hierarchies name different ones.
    static func podUID(in text: String) -> String? {
        var found: String?
        for line in text.split(separator: "\n") {
            // number:controllers:path, and a path may hold colons.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let uid = podUID(inPath: fields[2]) else { continue }
            if let found, found != uid { return nil }
            found = uid
        }
        return found
    }

    /// The outermost one counts: what a container makes below its own cgroup is of its own naming.
    private static func podUID(inPath path: Substring) -> String? {
        var isBelowKubepods = false
        for name in path.split(separator: "/") {
            if let uid = systemdUID(name) { return uid }
            if isBelowKubepods, name.hasPrefix("pod") { return valid(name.dropFirst(3)) }
            if name == "kubepods" || name.hasSuffix("-kubepods") { isBelowKubepods = true }
        }
        return nil
    }

    private static func systemdUID(_ name: Substring) -> String? {
        guard name.hasSuffix(".slice"), name.hasPrefix("kubepods-") || name.contains("-kubepods-"),
            let last = name.dropLast(".slice".count).split(separator: "-").last, last.hasPrefix("pod")
        else { return nil }
        return valid(Substring(last.dropFirst(3).map { $0 == "_" ? "-" : $0 }))
    }

    /// Static pods have 32 hexadecimal digits, others a UUID.
    private static func valid(_ uid: Substring) -> String? {
        let isUID = uid.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        return isUID && (1...64).contains(uid.utf8.count) ? String(uid) : nil
    }
}
