import Addressing
import Mesh

/// The sets of a plan's ruleset, and the rules that look keys up in them. A set without elements is left out.
struct CaptureSets {
    static let agentsName = "exempt_agents"

    private let agents: NamedSet?
    private let destinationsV4: NamedSet?
    private let destinationsV6: NamedSet?
    let ports: NamedSet?

    init(_ plan: PodCapturePlan) {
        agents =
            if case .cgroups(let identifiers, _) = plan.exemption { Self.agents(identifiers) } else { nil }
        destinationsV4 = Self.destinations(
            named: "excluded_out", .addressAndPortV4, plan.excludedOutbound.filter { $0.prefix.address.family == .v4 })
        destinationsV6 = Self.destinations(
            named: "excluded_out6", .addressAndPortV6, plan.excludedOutbound.filter { $0.prefix.address.family == .v6 })
        let free = plan.excludedInbound.filter { !MeshPorts.isOwn($0) }
        ports =
            free.isEmpty
            ? nil
            : NamedSet(
                name: "excluded_in", key: .port,
                elements: Set(free.map { NamedSet.Element(first: bigEndian($0), last: nil) }))
    }

    /// The set of exempt cgroups; its elements alone change when an agent succeeds another.
    static func agents(_ identifiers: Set<UInt64>) -> NamedSet {
        NamedSet(
            name: agentsName, key: .cgroup,
            elements: Set(identifiers.map { NamedSet.Element(first: hostOrder($0), last: nil) }))
    }

    var all: [NamedSet] { [agents, destinationsV4, destinationsV6, ports].compactMap(\.self) }

    func agentExemption(_ plan: PodCapturePlan) -> Rule {
        switch plan.exemption {
        case .cgroups(_, let level):
            Rule("the agent's cgroup is exempt", .socketCgroup(in: Self.agentsName, level: level), .leaveChain)
        case .mark:
            Rule("the agent's mark is exempt", .packetMark(is: MeshMarks.agent), .leaveChain)
        }
    }

    func excludedDestinations(of protocolNumber: UInt8) -> [Rule] {
        var rules: [Rule] = []
        for (set, family) in [(destinationsV4, IPAddress.Family.v4), (destinationsV6, .v6)] {
            guard let set else { continue }
            rules.append(
                Rule("excluded destinations", .destination(in: set.name, family, of: protocolNumber), .leaveChain))
        }
        return rules
    }

    private static func destinations(
        named name: String, _ key: NamedSet.Key, _ excluded: Set<ExcludedDestination>
    ) -> NamedSet? {
        guard !excluded.isEmpty else { return nil }
        let disjoint = DisjointDestinations(excluded).destinations
        return NamedSet(name: name, key: key, elements: Set(disjoint.map(element)))
    }

    private static func element(_ destination: ExcludedDestination) -> NamedSet.Element {
        let prefix = destination.prefix
        let hostBits = prefix.address.bitWidth - prefix.length
        let highest = prefix.address.networkBytes.enumerated().map { index, byte in
            let bitsBehind = (prefix.address.bitWidth / 8 - 1 - index) * 8
            let free = max(0, min(8, hostBits - bitsBehind))
            return byte | UInt8(truncatingIfNeeded: (1 << free) - 1)
        }
        // Each field is padded to a word of its own.
        return NamedSet.Element(
            first: prefix.address.networkBytes + bigEndian(destination.ports.lowerBound) + [0, 0],
            last: highest + bigEndian(destination.ports.upperBound) + [0, 0])
    }
}
