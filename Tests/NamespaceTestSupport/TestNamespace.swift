import Glibc
package import Kernel
import Synchronization

/// Runs a shell command without its output; false if it fails.
@discardableResult
package func shell(_ command: String) -> Bool {
    var specification = ChildSpecification(
        arguments: ["sh", "-c", "{ \(command); } >/dev/null 2>&1"],
        environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
    specification.path = "/bin/sh"
    guard let child = try? ChildProcess.start(specification) else { return false }
    var entry = pollfd(fd: child.descriptor.raw, events: Int16(POLLIN), revents: 0)
    while poll(&entry, 1, -1) < 0 {}
    return (try? child.reap()) == .exited(code: 0)
}

/// A named network namespace of a test's own, deleted with the object.
package final class TestNamespace: Sendable {
    /// As `ip netns` lists it.
    package let name: String
    /// Where it is mounted.
    package var path: String { "/run/netns/\(name)" }

    /// Namespaces can be made and programmed here: root, and `ip` and `nft` are installed.
    package static let isAvailable: Bool = {
        guard (try? CurrentProcess.missingCapabilities(Capability.allCases)) == [] else { return false }
        let name = "mnt-space-\(CurrentProcess.pid)-probe"
        defer { shell("ip netns del \(name)") }
        return shell("ip netns add \(name) && ip netns exec \(name) nft list ruleset")
    }()

    private static let counter = Atomic<Int>(0)

    /// With loopback up and `addresses` (with prefix lengths) on it.
    package init(addresses: [String] = []) {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = "mnt-space-\(CurrentProcess.pid)-\(number)"
        shell("ip netns add \(name)")
        shell("ip -n \(name) link set lo up")
        for address in addresses { shell("ip -n \(name) addr add \(address) dev lo nodad") }
    }

    deinit {
        shell("ip netns del \(name)")
    }

    /// The namespace itself.
    package func open() throws -> NetworkNamespace { try NetworkNamespace.open(path: path) }
}
