/// What this machine says of itself in files. A value over one function, so that any machine can be tested.
struct HostFacts {
    /// The contents of a file as text; nil if it cannot be read.
    let read: (String) -> String?

    init(read: @escaping (String) -> String?) { self.read = read }

    /// The release of the kernel, such as `6.18.5`; nil if not known.
    var kernelRelease: String? { line("/proc/sys/kernel/osrelease") }

    /// Major and minor of it.
    var kernelVersion: (major: Int, minor: Int)? {
        guard let release = kernelRelease else { return nil }
        let parts = release.split(separator: ".").prefix(2).map { $0.prefix { $0.isNumber } }
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        return (major, minor)
    }

    /// Whether a kernel module is loaded, built in, or there to be loaded; nil if that cannot be told.
    func hasModule(_ name: String) -> Bool? {
        if let loaded = read("/proc/modules"),
            loaded.split(separator: "\n").contains(where: { $0.hasPrefix("\(name) ") })
        {
            return true
        }
        guard let release = kernelRelease else { return nil }
        let lists = ["modules.builtin", "modules.dep"].compactMap { read("/lib/modules/\(release)/\($0)") }
        if lists.contains(where: { $0.contains("/\(name).ko") }) { return true }
        return lists.isEmpty ? nil : false
    }

    /// Whether the kernel can mount a file system of that name.
    func hasFileSystem(_ name: String) -> Bool {
        let lines = (read("/proc/filesystems") ?? "").split(separator: "\n")
        return lines.contains { $0.split(separator: "\t").last == name[...] }
    }

    /// The capabilities that this process may use, as bits; nil if not known.
    var effectiveCapabilities: UInt64? {
        let status = read("/proc/self/status") ?? ""
        guard let field = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }) else { return nil }
        return UInt64(field.dropFirst(7).filter { !$0.isWhitespace }, radix: 16)
    }

    /// TCP ports that somebody listens on; nil if not known.
    var listeningPorts: Set<UInt16>? {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap(read)
        guard !tables.isEmpty else { return nil }
        var ports: Set<UInt16> = []
        for row in tables.flatMap({ $0.split(separator: "\n").dropFirst() }) {
            // proc(5): sl local_address rem_address st; 0A is LISTEN.
            let fields = row.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 3, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
                let port = UInt16(fields[1][fields[1].index(after: colon)...], radix: 16)
            else { continue }
            ports.insert(port)
        }
        return ports
    }

    /// The first line of a file.
    func line(_ path: String) -> String? {
        read(path).flatMap { $0.split(separator: "\n").first.map(String.init) }
    }

    /// The number in a file.
    func number(_ path: String) -> Int64? { line(path).flatMap { Int64($0) } }
}
