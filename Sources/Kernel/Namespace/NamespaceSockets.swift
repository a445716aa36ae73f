/// The TCP sockets of one network namespace, counted.
package enum NamespaceSockets {
    /// How many the calling thread's namespace has, listeners included and those in TIME_WAIT not: what the kernel calls
    /// `inuse` in `/proc/PID/net/sockstat` and `sockstat6` (proc_pid_net(5)). Nil if it does not tell.
    ///
    /// Costs two small reads; to list them costs the size of the host's table of connections.
    package static func tcpCount() -> Int? {
        guard let four = count("sockstat", "TCP: inuse "), let six = count("sockstat6", "TCP6: inuse ") else {
            return nil
        }
        return four + six
    }

    private static func count(_ file: String, _ key: String) -> Int? {
        guard let bytes = try? Files.read("/proc/thread-self/net/\(file)", limit: 4096) else { return nil }
        return count(in: String(decoding: bytes, as: UTF8.self), key)
    }

    /// The number behind `key`, which begins a line of `text`.
    static func count(in text: String, _ key: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(key) {
            return Int(line.dropFirst(key.count).prefix { $0 != " " })
        }
        return nil
    }
}
