import Mesh
import Resources
import Testing

@testable import Controller

@Suite struct `The changes between two states` {
    /// A small generator, so that a failure can be repeated from its seed (SplitMix64).
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    /// One random edit of a set of manifest texts.
    private func edit(_ texts: inout [String: String], _ random: inout Generator) {
        func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
        let space = ["a", "b"][number(2)]
        let label = ["app: x", "app: y", "meshnode.dev/mesh: enabled"][number(3)]
        let name = "o\(number(4))"
        let key = "\(["ns", "pod", "svc", "ap", "pa"][number(5)])/\(space)/\(name)"
        guard number(4) > 0 else {
            texts[key] = nil
            return
        }
        switch key.prefix(2) {
        case "ns": texts["ns/\(space)"] = namespaceText(space, label)
        case "po": texts[key] = podText("\(space)/\(name)", ip: "10.0.0.\(number(5))", labels: label)
        case "sv":
            texts[key] = serviceText(
                "\(space)/\(name)",
                "clusterIP: 10.96.0.\(number(3)), selector: {app: x}, ports: [{port: \(80 + number(2))}]")
        case "ap":
            texts[key] = securityText(
                "AuthorizationPolicy", "\(space)/\(name)",
                number(2) == 0 ? "action: DENY" : "selector: {matchLabels: {app: x}}")
        default:
            texts[key] = securityText(
                "PeerAuthentication", "\(space)/\(name)", "mtls: {mode: \(["STRICT", "PERMISSIVE"][number(2)])}")
        }
    }

    @Test(arguments: 1...8) func `applied to the old give the new, after any edit`(seed: Int) {
        var random = Generator(state: UInt64(seed))
        var texts: [String: String] = [:]
        var state = MeshState()
        var changeCount = 0
        for step in 0..<60 {
            for _ in 0...Int.random(in: 0..<3, using: &random) { edit(&texts, &random) }
            let new = build(texts.values.joined()).state
            let changes = new.changes(from: state)
            changeCount += changes.count
            for change in changes { state.apply(change) }
            #expect(state == new, "seed \(seed), step \(step)")
            #expect(new.changes(from: state) == [])
        }
        #expect(changeCount > 60)
    }

    @Test func `put removed workloads first and removed policies last`() {
        let old = build(
            namespaceText("a") + podText("a/old", ip: "10.0.0.1")
                + securityText("AuthorizationPolicy", "a/old", "action: DENY")
        ).state
        let new = build(
            namespaceText("a") + podText("a/new", ip: "10.0.0.1")
                + securityText("AuthorizationPolicy", "a/new", "action: DENY")
        ).state
        let kinds = new.changes(from: old).map { change in
            switch change {
            case .workloadRemoved: "-workload"
            case .policyUpserted: "+policy"
            case .workloadUpserted: "+workload"
            case .policyRemoved: "-policy"
            default: "other"
            }
        }
        #expect(kinds == ["-workload", "+policy", "+workload", "-policy"])
    }

    @Test func `are the same whatever order the objects were read in`() {
        let texts = (0..<20).map { podText("a/p\($0)", ip: "10.0.0.\($0 / 2)") }
        let first = build(texts.joined())
        #expect(build(texts.reversed().joined()).state == first.state)
        #expect(first.state.workloads.count == 10)
    }
}
