import Foundation

/// Which of the two nodes.
enum Node: String, CaseIterable, Sendable {
    case a
    case b

    /// The number in its addresses.
    var number: Int { self == .a ? 1 : 2 }

    var other: Node { self == .a ? .b : .a }
}

/// A pod: a network namespace behind one of the nodes.
struct TestPod: Hashable, Sendable {
    let name: String
    let node: Node
    /// The last part of its addresses.
    let number: Int
    let namespace: String

    /// `shop/web`.
    var fullName: String { "\(namespace)/\(name)" }
}

/// The machines of a test run: two nodes with a wire between them, and pods behind them, as network namespaces. Nothing
/// answers for the services' addresses: only the mesh knows them.
///
///     node a 10.230.s.1 ─── veth ─── node b 10.230.s.2        s: a multiple of 4 of this run's own
///       pods 10.230.(s+1).N            pods 10.230.(s+2).N    services: 10.230.(s+3).N
final class Machine {
    let prefix: String
    /// The second part of all its addresses.
    private let network: Int
    /// So that two runs at once do not own the same addresses.
    let slot = Int(ProcessInfo.processInfo.processIdentifier % 63) * 4

    /// - Parameters:
    ///   - name: for the names of its namespaces, where a run has several machines.
    ///   - network: the second part of its addresses; another for each machine of a run.
    init(_ name: String = "", network: Int = 230) {
        prefix = "mnt-node-\(ProcessInfo.processInfo.processIdentifier)-\(name)"
        self.network = network
    }

    func nodeV4(_ node: Node) -> String { "10.\(network).\(slot).\(node.number)" }
    func nodeV6(_ node: Node) -> String { "fd00:\(network):\(slot)::\(node.number)" }
    func v4(_ pod: TestPod) -> String { "10.\(network).\(slot + pod.node.number).\(pod.number)" }
    func v6(_ pod: TestPod) -> String { "fd00:\(network):\(slot):\(pod.node.number)::\(pod.number)" }
    func serviceV4(_ number: Int) -> String { "10.\(network).\(slot + 3).\(number)" }
    func serviceV6(_ number: Int) -> String { "fd00:\(network):\(slot):100::\(number)" }

    func netns(_ name: String) -> String { prefix + name }
    func path(_ name: String) -> String { "/run/netns/" + prefix + name }

    /// Runs a command in the network namespace of a node or pod. (`ip netns exec` would remount /sys and hide the cgroups.)
    func inside(_ name: String, _ arguments: [String]) -> [String] {
        ["/usr/bin/nsenter", "--net=" + path(name)] + arguments
    }

    /// Link-local addresses are usable at once, not after the seconds of duplicate address detection.
    private static let withoutDetection = "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad;"

    /// Makes the nodes and the wire between them.
    func makeNodes() throws {
        for node in Node.allCases {
            try Command.shell(
                """
                ip netns add \(netns(node.rawValue))
                ip -n \(netns(node.rawValue)) link set lo up
                nsenter --net=\(path(node.rawValue)) sh -c '\(Self.withoutDetection)
                    echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
                """)
        }
        try Command.shell(
            "ip -n \(netns("a")) link add uplink type veth peer name uplink netns \(netns("b"))")
        for node in Node.allCases {
            let far = node.other
            try batch(
                node.rawValue,
                """
                addr add \(nodeV4(node))/24 dev uplink
                addr add \(nodeV6(node))/64 dev uplink nodad
                link set uplink up
                route add 10.\(network).\(slot + far.number).0/24 via \(nodeV4(far))
                route add fd00:\(network):\(slot):\(far.number)::/64 via \(nodeV6(far))
                """)
        }
    }

    /// Makes a pod's namespace and its wire.
    /// - Parameter name: of the namespace; nil: as the pod. Another one is for a pod that is made again.
    func make(_ pod: TestPod, as name: String? = nil) throws {
        let name = name ?? pod.name
        let node = netns(pod.node.rawValue)
        let v4 = v4(pod)
        let v6 = v6(pod)
        let gateway4 = "10.\(network).\(slot + pod.node.number).1"
        let gateway6 = "fd00:\(network):\(slot):\(pod.node.number)::1"
        try Command.shell(
            """
            ip netns add \(netns(name))
            nsenter --net=\(path(name)) sh -c '\(Self.withoutDetection)'
            ip -n \(node) link add to-\(name) type veth peer name eth0 netns \(netns(name))
            """)
        try batch(
            pod.node.rawValue,
            """
            addr add \(gateway4)/32 dev to-\(name)
            addr add \(gateway6)/128 dev to-\(name) nodad
            link set to-\(name) up
            route replace \(v4)/32 dev to-\(name)
            route replace \(v6)/128 dev to-\(name)
            """)
        try batch(
            name,
            """
            link set lo up
            addr add \(v4)/32 dev eth0
            addr add \(v6)/128 dev eth0 nodad
            link set eth0 up
            route add \(gateway4)/32 dev eth0
            route add default via \(gateway4)
            route add \(gateway6)/128 dev eth0
            route add default via \(gateway6)
            """)
    }

    /// Takes the pod's wire and the name of its namespace away. What is still open in it keeps it alive.
    func remove(_ pod: TestPod, as name: String? = nil) throws {
        let name = name ?? pod.name
        try Command.shell("ip -n \(netns(pod.node.rawValue)) link del to-\(name)")
        try Command.shell("ip netns del \(netns(name))")
    }

    private func batch(_ name: String, _ commands: String) throws {
        let result = try Command.run(["ip", "-n", netns(name), "-batch", "-"], input: commands + "\n")
        guard result.status == 0 else { throw CommandFailed(description: "\(commands): \(result.errors)") }
    }
}
