import Kernel
import Synchronization

/// A named network namespace of a test's own, deleted with the object.
final class TestNamespace: Sendable {
    let name: String
    var path: String { "/run/netns/\(name)" }

    /// Namespaces can be made here: root, and `ip` is installed.
    static let isAvailable: Bool = {
        guard (try? CurrentProcess.missingCapabilities([.sysAdmin, .netAdmin])) == [] else { return false }
        let name = "mnt-keeper-probe-\(CurrentProcess.pid)"
        defer { Commands.ip("netns del \(name)") }
        return Commands.ip("netns add \(name)")
    }()

    private static let counter = Atomic<Int>(0)

    /// With loopback up and `addresses` (with prefix lengths) on it.
    init(addresses: [String] = []) {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = "mnt-keeper-\(CurrentProcess.pid)-\(number)"
        Commands.ip("netns add \(name)")
        Commands.ip("-n \(name) link set lo up")
        for address in addresses { Commands.ip("-n \(name) addr add \(address) dev lo nodad") }
    }

    deinit {
        Commands.ip("netns del \(name)")
    }
}
