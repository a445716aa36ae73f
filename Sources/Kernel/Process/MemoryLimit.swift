/// How much memory this process may have.
package enum MemoryLimit {
    /// Bytes: the tightest limit of its cgroup and those above it (memory.max of cgroup v2), or what the machine has
    /// available (MemAvailable of /proc/meminfo, proc(5)) if that is less. Nil if neither can be read.
    package static var availableInBytes: Int? {
        [cgroupLimit, machineAvailable].compactMap(\.self).min()
    }

    private static var cgroupLimit: Int? {
        guard let path = text("/proc/self/cgroup").flatMap(unifiedPath) else { return nil }
        var limits: [Int] = []
        var parts = path.split(separator: "/")
        while true {
            let directory = parts.reduce("/sys/fs/cgroup") { "\($0)/\($1)" }
            if let text = text("\(directory)/memory.max"), let limit = bytes(ofLimit: text) { limits.append(limit) }
            if parts.popLast() == nil { return limits.min() }
        }
    }

    /// The path in the line `0::/path`, which is cgroup v2's (cgroups(7)).
    static func unifiedPath(in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }

    /// The number in a memory.max; nil for `max`.
    static func bytes(ofLimit text: String) -> Int? { text.split(separator: "\n").first.flatMap { Int($0) } }

    /// MemAvailable, which /proc/meminfo tells in KiB.
    static func available(in text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let number = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1024)
        return overflow ? nil : bytes
    }

    private static var machineAvailable: Int? { text("/proc/meminfo").flatMap(available) }

    private static func text(_ path: String) -> String? {
        guard let bytes = try? Files.read(path, limit: 64 << 10) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
