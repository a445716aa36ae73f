import NamespaceTestSupport

extension TestNamespace {
    /// Whether the mesh's table is there.
    var isCaptured: Bool { shell("ip netns exec \(name) nft list table inet meshnode") }

    /// Whether new outbound connections are captured.
    var redirects: Bool {
        shell("ip netns exec \(name) nft list table inet meshnode | grep -q 'redirect to :15001'")
    }
}

/// A veth between two namespaces.
enum Wire {
    static func connect(
        _ first: TestNamespace, _ firstAddress: String, _ second: TestNamespace, _ secondAddress: String
    ) {
        shell("ip -n \(first.name) link add eth0 type veth peer name eth0 netns \(second.name)")
        for (namespace, address) in [(first, firstAddress), (second, secondAddress)] {
            shell("ip -n \(namespace.name) addr add \(address) dev eth0")
            shell("ip -n \(namespace.name) link set eth0 up")
        }
    }
}
