import Glibc
import Kernel
import Synchronization

/// Runs iproute2 and nft for tests.
enum Commands {
    /// Runs a shell command without its output; false if it fails.
    @discardableResult
    static func shell(_ command: String) -> Bool {
        var specification = ChildSpecification(
            arguments: ["sh", "-c", "{ \(command); } >/dev/null 2>&1"],
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        specification.path = "/bin/sh"
        guard let child = try? ChildProcess.start(specification) else { return false }
        var entry = pollfd(fd: child.descriptor.raw, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, -1) < 0 {}
        return (try? child.reap()) == .exited(code: 0)
    }
}

/// A named network namespace of a test's own, deleted with the object.
final class TestNamespace: Sendable {
    let name: String
    var path: String { "/run/netns/\(name)" }

    /// Namespaces can be made and programmed here: root, and `ip` and `nft` are installed.
    static let isAvailable: Bool = {
        guard (try? CurrentProcess.missingCapabilities(Capability.allCases)) == [] else { return false }
        let name = "mnt-keeper-node-probe-\(CurrentProcess.pid)"
        defer { Commands.shell("ip netns del \(name)") }
        return Commands.shell("ip netns add \(name) && ip netns exec \(name) nft list ruleset")
    }()

    private static let counter = Atomic<Int>(0)

    /// With loopback up and `addresses` (with prefix lengths) on it.
    init(addresses: [String] = []) {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = "mnt-keeper-node-\(CurrentProcess.pid)-\(number)"
        Commands.shell("ip netns add \(name)")
        Commands.shell("ip -n \(name) link set lo up")
        for address in addresses { Commands.shell("ip -n \(name) addr add \(address) dev lo nodad") }
    }

    deinit {
        Commands.shell("ip netns del \(name)")
    }

    func open() throws -> NetworkNamespace { try NetworkNamespace.open(path: path) }

    /// Whether the mesh's table is there.
    var isCaptured: Bool { Commands.shell("ip netns exec \(name) nft list table inet meshnode") }

    /// Whether new outbound connections are captured.
    var redirects: Bool {
        Commands.shell("ip netns exec \(name) nft list table inet meshnode | grep -q 'redirect to :15001'")
    }
}

/// A veth between two namespaces.
enum Wire {
    static func connect(
        _ first: TestNamespace, _ firstAddress: String, _ second: TestNamespace, _ secondAddress: String
    ) {
        Commands.shell("ip -n \(first.name) link add eth0 type veth peer name eth0 netns \(second.name)")
        for (namespace, address) in [(first, firstAddress), (second, secondAddress)] {
            Commands.shell("ip -n \(namespace.name) addr add \(address) dev eth0")
            Commands.shell("ip -n \(namespace.name) link set eth0 up")
        }
    }
}
