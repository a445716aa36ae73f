import Addressing
import Mesh

extension Ruleset {
    /// The ruleset that captures a pod as the plan has it.
    static func capture(_ plan: PodCapturePlan) -> Ruleset {
        let sets = CaptureSets(plan)
        return Ruleset(
            sets: sets.all,
            chains: [
                .rememberAgentConnections, .keepRepliesLocal, .redirectInbound(plan, sets),
                .redirectOutbound(plan, sets),
                .judgeOutbound(plan, sets), .judgeInbound(plan, sets),
            ])
    }

    /// The same with nothing redirected or dropped anew: what is captured already goes on, what comes is not captured.
    func withoutCapture() -> Ruleset {
        var copy = self
        for index in copy.chains.indices where Chain.capturing.contains(copy.chains[index].name) {
            copy.chains[index].rules = []
        }
        return copy
    }
}

/// Numbers of IANA's protocol registry.
private enum ProtocolNumber {
    static let icmp: UInt8 = 1
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17
    static let icmpV6: UInt8 = 58
    static let sctp: UInt8 = 132
}

private let loopback = "lo"
private let dnsPort: UInt16 = 53

extension Chain {
    /// The chains whose rules capture; the others only serve connections of the agent.
    static let capturing: Set<String> = ["nat_pre", "nat_out", "non_tcp_out", "non_tcp_in"]

    /// A connection of the agent to the application may have a foreign source: remember it by its mark.
    fileprivate static let rememberAgentConnections = Chain(
        name: "mangle_pre", kind: .filter, hook: .prerouting, priority: -150,
        rules: [
            Rule(
                "the agent's connections to the application are marked", .arrives(on: loopback),
                .packetMark(is: MeshMarks.agent), .markConnection(MeshMarks.agentToApplication))
        ])

    /// The application's answers to a foreign source must not leave by the default route: the mark selects the
    /// route that keeps them here. A chain of type `filter` would not look up the route again.
    fileprivate static let keepRepliesLocal = Chain(
        name: "mangle_out", kind: .route, hook: .output, priority: -150,
        rules: [
            Rule(
                "answers on the agent's connections stay local", .connectionMark(is: MeshMarks.agentToApplication),
                .markPacket(MeshMarks.agentToApplication))
        ])

    fileprivate static func redirectInbound(_ plan: PodCapturePlan, _ sets: CaptureSets) -> Chain {
        var rules: [Rule] = []
        if !plan.bypassesInbound {
            rules = [
                Rule("connections within the pod are not captured", .arrives(on: loopback), .leaveChain),
                Rule("what is not for this pod is not captured", .destinationIsElsewhere, .leaveChain),
            ]
            rules += plan.probeSources.sorted().map {
                Rule("probes from \($0) are accepted", .source(is: $0), .leaveChain)
            }
            rules.append(
                Rule("tunnels are accepted", .port(MeshPorts.hbone, of: ProtocolNumber.tcp), .leaveChain))
            if let set = sets.ports {
                rules.append(
                    Rule("excluded ports", .port(in: set.name, of: ProtocolNumber.tcp), .leaveChain))
            }
            rules.append(
                Rule(
                    "inbound connections are redirected", .isProtocol(ProtocolNumber.tcp),
                    .redirect(to: MeshPorts.inboundPlaintext)))
        }
        return Chain(name: "nat_pre", kind: .nat, hook: .prerouting, priority: -100, rules: rules)
    }

    fileprivate static func redirectOutbound(_ plan: PodCapturePlan, _ sets: CaptureSets) -> Chain {
        var rules = [
            sets.agentExemption(plan),
            Rule(
                "the agent's connections to the application", .connectionMark(is: MeshMarks.agentToApplication),
                .leaveChain),
            Rule("IPv4 loopback is not captured", .destinationIsLoopback(.v4), .leaveChain),
            Rule("IPv6 loopback is not captured", .destinationIsLoopback(.v6), .leaveChain),
            Rule("connections within the pod are not captured", .leaves(on: loopback), .leaveChain),
        ]
        rules += sets.excludedDestinations(of: ProtocolNumber.tcp)
        rules.append(
            Rule(
                "outbound connections are redirected", .isProtocol(ProtocolNumber.tcp),
                .redirect(to: MeshPorts.outbound)))
        return Chain(name: "nat_out", kind: .nat, hook: .output, priority: -100, rules: rules)
    }

    fileprivate static func judgeOutbound(_ plan: PodCapturePlan, _ sets: CaptureSets) -> Chain {
        var rules = [Rule("traffic within the pod", .leaves(on: loopback), .leaveChain)]
        rules += otherwiseJudged
        rules += [
            sets.agentExemption(plan),
            Rule("DNS", .port(dnsPort, of: ProtocolNumber.udp), .leaveChain),
        ]
        for number in [ProtocolNumber.udp, ProtocolNumber.sctp] {
            rules += sets.excludedDestinations(of: number)
        }
        rules.append(verdict(plan.nonTCPOutbound))
        return Chain(name: "non_tcp_out", kind: .filter, hook: .output, priority: 0, rules: rules)
    }

    fileprivate static func judgeInbound(_ plan: PodCapturePlan, _ sets: CaptureSets) -> Chain {
        var rules = [Rule("traffic within the pod", .arrives(on: loopback), .leaveChain)]
        rules += otherwiseJudged
        if let set = sets.ports {
            for number in [ProtocolNumber.udp, ProtocolNumber.sctp] {
                rules.append(Rule("excluded ports", .port(in: set.name, of: number), .leaveChain))
            }
        }
        rules.append(verdict(plan.nonTCPInbound))
        return Chain(name: "non_tcp_in", kind: .filter, hook: .input, priority: 0, rules: rules)
    }

    /// TCP is judged by the proxy, answers by the direction of the first packet. ICMP carries the errors and, in
    /// IPv6, the neighbour discovery without which nothing works.
    private static let otherwiseJudged = [
        Rule("TCP is carried", .isProtocol(ProtocolNumber.tcp), .leaveChain),
        Rule("ICMP", .isProtocol(ProtocolNumber.icmp), .leaveChain),
        Rule("ICMPv6", .isProtocol(ProtocolNumber.icmpV6), .leaveChain),
        Rule("answers", .isReply, .leaveChain),
    ]

    private static func verdict(_ policy: NonTCPPolicy) -> Rule {
        switch policy {
        case .pass: Rule("what is not TCP is counted", .count)
        case .drop: Rule("what is not TCP is counted and dropped", .count, .drop)
        }
    }
}
