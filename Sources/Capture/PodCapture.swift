/// The capture of one enrolled pod: its table, its policy route, its conntrack setting.
///
/// Confined to the loop or thread that made it. It holds two netlink sockets and a file of the pod's network
/// namespace, so only `init` and `enrol` have to run inside the namespace; the sockets pin it until the object goes.
package final class PodCapture {
    private enum State {
        case notCaptured
        case captured(PodCapturePlan)
        /// Captured connections go on, new ones are not captured.
        case stopping(PodCapturePlan)
    }

    private var netfilter: NetlinkSocket
    private var route: NetlinkSocket
    /// With 1, the default, a foreign ACK would make an entry that NAT no longer looks at.
    private let looseTracking: Sysctl
    /// Missing where the kernel has no IPv6.
    private let loopbackLacksIPv6: Sysctl?
    private var state = State.notCaptured
    /// The generation of the namespace's rulesets that was last found to be as wanted.
    private var soundGeneration: UInt32?
    private var countedBefore: [String: TrafficCount] = [:]

    /// Opens what it needs of the namespace that the calling thread is in.
    /// - Throws: `resources` or `sysctl`; nothing has been changed then.
    package init() throws(CaptureError) {
        netfilter = try NetlinkSocket(.netfilter)
        route = try NetlinkSocket(.route)
        looseTracking = try Sysctl("net/netfilter/nf_conntrack_tcp_loose")
        loopbackLacksIPv6 = Self.optional("net/ipv6/conf/lo/disable_ipv6")
    }

    /// Captures the pod, or changes how it is captured; connections that are captured already go on.
    ///
    /// Must be called in the host's cgroup namespace, by which the level of an exempt cgroup is counted.
    /// - Throws: `invalidPlan`, `sysctl`, `routing` or `rejected`. The rules are then what they were before.
    package func enrol(_ plan: PodCapturePlan) throws(CaptureError) {
        try plan.validate()
        let wasCaptured = wanted != nil
        do throws(CaptureError) {
            try apply(plan, Ruleset.capture(plan), isFirst: !(try CaptureState.hasTable(&netfilter)))
        } catch {
            if !wasCaptured { try? PolicyRouting(families: [.v4, .v6]).remove(&route) }
            throw error
        }
        state = .captured(plan)
    }

    /// Compares the kernel's state with what is wanted. Costs one short request where no table has changed.
    /// - Returns: nil if everything is as wanted, or nothing is wanted.
    package func verify() -> CaptureDrift? {
        do throws(CaptureError) {
            guard let (plan, ruleset) = wanted else { return nil }
            let further = try settingDifferences(plan)
            let generation = try CaptureState.generation(from: &netfilter)
            if generation == soundGeneration, further.isEmpty { return nil }
            let found = try CaptureState.read(from: &netfilter)
            let drift = CaptureDrift(wanted: ruleset, found: found.ruleset, further: further)
            if drift == nil { soundGeneration = generation }
            return drift
        } catch {
            return CaptureDrift(error)
        }
    }

    /// Sets everything again as it is wanted. Works from outside the namespace, too.
    /// - Throws: as `enrol` does.
    package func repair() throws(CaptureError) {
        guard let (plan, ruleset) = wanted else { return }
        try apply(plan, ruleset)
    }

    /// Changes whose sockets are exempt: before a new agent opens its first socket, and when the old one is gone.
    /// - Throws: `invalidPlan` or `rejected`; the exemption is then what it was.
    package func replaceExemption(_ exemption: AgentExemption) throws(CaptureError) {
        guard var plan = self.plan else { return }
        let former = plan.exemption
        plan.exemption = exemption
        try plan.validate()
        if case .cgroups(let old, let oldLevel) = former, case .cgroups(let new, let newLevel) = exemption,
            oldLevel == newLevel
        {
            try changeExemptCgroups(from: old, to: new)
        } else if let (_, ruleset) = wanted(under: plan) {
            try commit(ruleset)
        }
        replacePlan(plan)
    }

    /// The first step of release: new connections are no longer captured, those that are go on.
    /// - Throws: `rejected` or `unreadable`.
    package func stopCapturing() throws(CaptureError) {
        guard let plan else { return }
        let found = try CaptureState.read(from: &netfilter)
        noteCounts(found)
        var transaction = Transaction(netfilter.makeMessages())
        let chains = (found.ruleset?.chains ?? []).filter { Chain.capturing.contains($0.name) }
        for chain in chains { try transaction.flushChain(chain.name) }
        if !chains.isEmpty { try transaction.commit(to: &netfilter) }
        state = .stopping(plan)
    }

    /// The second step of release, when the captured connections have ended: those that have not are reset.
    /// The conntrack setting stays: with the default, the next enrolment would find entries made in between.
    /// - Throws: `rejected` or `routing`; may be repeated.
    package func delete() throws(CaptureError) {
        var transaction = Transaction(netfilter.makeMessages())
        try transaction.deleteTable()
        try transaction.commit(to: &netfilter)
        try PolicyRouting(families: [.v4, .v6]).remove(&route)
        state = .notCaptured
        soundGeneration = nil
    }

    /// What passed, or was dropped, that is neither TCP nor ICMP, since this object was made.
    /// - Throws: `unreadable`.
    package func uncapturedTraffic() throws(CaptureError) -> UncapturedTraffic {
        let counts = try CaptureState.read(from: &netfilter).counts
        func total(_ chain: String) -> TrafficCount {
            var total = countedBefore[chain] ?? TrafficCount()
            total += counts[chain] ?? TrafficCount()
            return total
        }
        return UncapturedTraffic(outbound: total("non_tcp_out"), inbound: total("non_tcp_in"))
    }

    private static func optional(_ path: String) -> Sysctl? {
        do throws(CaptureError) { return try Sysctl(path) } catch { return nil }
    }

    private var plan: PodCapturePlan? {
        switch state {
        case .notCaptured: nil
        case .captured(let plan), .stopping(let plan): plan
        }
    }

    private var wanted: (PodCapturePlan, Ruleset)? { plan.flatMap { wanted(under: $0) } }

    private func wanted(under plan: PodCapturePlan) -> (PodCapturePlan, Ruleset)? {
        switch state {
        case .notCaptured: nil
        case .captured: (plan, Ruleset.capture(plan))
        case .stopping: (plan, Ruleset.capture(plan).withoutCapture())
        }
    }

    private func replacePlan(_ plan: PodCapturePlan) {
        switch state {
        case .notCaptured: break
        case .captured: state = .captured(plan)
        case .stopping: state = .stopping(plan)
        }
    }

    /// The setting first, then the route, then the rules: at no time does a connection meet rules without them.
    private func apply(
        _ plan: PodCapturePlan, _ ruleset: Ruleset, isFirst: Bool = false
    ) throws(CaptureError) {
        if try looseTracking.read() != 0 { try looseTracking.write(0) }
        if isFirst { try TrackedConnections.forgetDirect(&netfilter) }
        try routing(plan).set(&route)
        noteCounts((try? CaptureState.read(from: &netfilter)) ?? CaptureState())
        try commit(ruleset)
    }

    private func commit(_ ruleset: Ruleset) throws(CaptureError) {
        soundGeneration = nil
        var transaction = Transaction(netfilter.makeMessages())
        try transaction.replaceTable(with: ruleset)
        try transaction.commit(to: &netfilter)
    }

    private func changeExemptCgroups(from old: Set<UInt64>, to new: Set<UInt64>) throws(CaptureError) {
        let added = CaptureSets.agents(new.subtracting(old)).elements
        let removed = CaptureSets.agents(old.subtracting(new)).elements
        guard !added.isEmpty || !removed.isEmpty else { return }
        var transaction = Transaction(netfilter.makeMessages())
        try transaction.addElements(added, to: CaptureSets.agentsName)
        try transaction.removeElements(removed, from: CaptureSets.agentsName)
        try transaction.commit(to: &netfilter)
    }

    private func settingDifferences(_ plan: PodCapturePlan) throws(CaptureError) -> [CaptureDrift.Difference] {
        var differences: [CaptureDrift.Difference] = []
        if try looseTracking.read() != 0 { differences.append(.sysctl(looseTracking.name)) }
        return differences + (try routing(plan).differences(&route))
    }

    private func routing(_ plan: PodCapturePlan) throws(CaptureError) -> PolicyRouting {
        guard plan.hasIPv6, loopbackLacksIPv6 != nil, try loopbackLacksIPv6?.read() == 0 else {
            return PolicyRouting(families: [.v4])
        }
        return PolicyRouting(families: [.v4, .v6])
    }

    /// A new table counts from zero: keep what the old one has counted.
    private func noteCounts(_ found: CaptureState) {
        for (chain, count) in found.counts { countedBefore[chain, default: TrafficCount()] += count }
    }
}

/// What a pod sent and received outside the mesh: neither TCP nor ICMP, passed or dropped as its plan has it.
package struct UncapturedTraffic: Hashable, Sendable {
    package let outbound: TrafficCount
    package let inbound: TrafficCount
}
