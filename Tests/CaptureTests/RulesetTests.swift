import Addressing
import Testing

@testable import Capture

@Suite struct `A plan` {
    @Test(arguments: [
        AgentExemption.cgroups([], level: 1), .cgroups([1], level: 1), .cgroups([1, 70], level: 2),
        .cgroups([70], level: 0), .cgroups([70], level: 256),
    ])
    func `that exempts nobody or everybody is refused`(exemption: AgentExemption) {
        #expect(throws: CaptureError.self) { try PodCapturePlan(exemption: exemption).validate() }
    }

    @Test func `with a cgroup of the agent, or with its mark, is accepted`() throws {
        try PodCapturePlan(exemption: .cgroups([70, 71], level: 255)).validate()
        try PodCapturePlan(exemption: .mark).validate()
    }

    @Test func `cannot exclude the mesh's own ports`() {
        var plan = PodCapturePlan(exemption: .mark)
        plan.excludedInbound = [15001, 15006, 15008, 15053]
        #expect(Ruleset.capture(plan) == Ruleset.capture(PodCapturePlan(exemption: .mark)))
    }

    @Test func `without exclusions has no sets, and each kind of exclusion adds its own`() {
        var plan = PodCapturePlan(exemption: .mark)
        #expect(Ruleset.capture(plan).sets.isEmpty)
        plan.excludedInbound = [80]
        plan.excludedOutbound = [ExcludedDestination(prefix("10.0.0.0/8"), ports: 1...2)]
        plan.exemption = .cgroups([9], level: 1)
        #expect(Ruleset.capture(plan).sets.map(\.name) == ["exempt_agents", "excluded_out", "excluded_in"])
    }

    @Test func `of which nothing is captured keeps the chains of the agent's connections`() {
        let chains = Ruleset.capture(PodCapturePlan(exemption: .mark)).withoutCapture().chains
        #expect(chains.filter { !$0.rules.isEmpty }.map(\.name) == ["mangle_pre", "mangle_out"])
    }
}

@Suite struct `Excluded destinations` {
    private func disjoint(_ texts: [(String, ClosedRange<UInt16>)]) -> Set<ExcludedDestination> {
        DisjointDestinations(Set(texts.map { ExcludedDestination(prefix($0.0), ports: $0.1) })).destinations
    }

    @Test func `of one prefix are joined`() {
        let result = disjoint([
            ("10.0.0.0/8", 1...5), ("10.0.0.0/8", 4...9), ("10.0.0.0/8", 10...11), ("10.0.0.0/8", 20...20),
        ])
        #expect(
            result == [
                ExcludedDestination(prefix("10.0.0.0/8"), ports: 1...11),
                ExcludedDestination(prefix("10.0.0.0/8"), ports: 20...20),
            ])
    }

    @Test func `within a wider prefix lose the ports that it has`() {
        let result = disjoint([("10.0.0.0/8", 50...60), ("0.0.0.0/0", 80...80), ("10.1.0.0/16", 40...100)])
        #expect(
            result == [
                ExcludedDestination(prefix("10.0.0.0/8"), ports: 50...60),
                ExcludedDestination(prefix("0.0.0.0/0"), ports: 80...80),
                ExcludedDestination(prefix("10.1.0.0/16"), ports: 40...49),
                ExcludedDestination(prefix("10.1.0.0/16"), ports: 61...79),
                ExcludedDestination(prefix("10.1.0.0/16"), ports: 81...100),
            ])
    }

    @Test func `cover what they covered before, and nothing twice`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let texts = (0..<6).map { _ -> (String, ClosedRange<UInt16>) in
                let first = UInt16.random(in: 0...40, using: &random)
                let length = Int.random(in: 0...6, using: &random)
                let address = "\(UInt8.random(in: 0...255, using: &random)).0.0.0/\(length)"
                return (address, first...(first + UInt16.random(in: 0...20, using: &random)))
            }
            let result = disjoint(texts)
            for byte in stride(from: 0, through: 255, by: 8) {
                let address = IPAddress(v4: UInt32(byte) << 24)
                for port in UInt16(0)...61 {
                    let wanted = texts.contains { prefix($0.0).contains(address) && $0.1.contains(port) }
                    let found = result.filter { $0.prefix.contains(address) && $0.ports.contains(port) }.count
                    #expect(found == (wanted ? 1 : 0), "\(texts), \(address), \(port)")
                }
            }
        }
    }

    @Test(arguments: [
        (UInt16(0)...UInt16.max, UInt16(0)...UInt16.max), (5...UInt16.max, 0...UInt16.max), (0...9, 0...UInt16.max),
    ])
    func `at the ends of the ports do not overflow`(narrow: ClosedRange<UInt16>, wide: ClosedRange<UInt16>) {
        #expect(disjoint([("10.0.0.0/8", narrow), ("10.0.0.0/8", 65535...65535), ("0.0.0.0/0", wide)]).count == 1)
    }
}

@Suite struct `A report of drift` {
    private let wanted = Ruleset.capture(PodCapturePlan(exemption: .mark))

    @Test func `is nil for the same ruleset, whatever its rules are called`() {
        var found = wanted
        for chain in found.chains.indices {
            found.chains[chain].rules = found.chains[chain].rules.map { Rule("as found", $0.expressions) }
        }
        #expect(CaptureDrift(wanted: wanted, found: found) == nil)
    }

    @Test func `names a chain that is gone, one that hangs elsewhere and one that is new`() {
        var found = wanted
        let moved = found.chains.removeFirst()
        let route = found.chains.removeFirst()
        found.chains.append(Chain(name: moved.name, kind: .filter, hook: .forward, priority: 3, rules: moved.rules))
        found.chains.append(Chain(name: "new", kind: .nat, hook: .output, priority: -101, rules: []))
        let drift = CaptureDrift(wanted: wanted, found: found)
        #expect(drift?.differences == [.chainUnknown("new"), .chainChanged(moved.name), .chainMissing(route.name)])
        #expect(drift?.description.contains("chain mangle_out is missing") == true)
    }
}
