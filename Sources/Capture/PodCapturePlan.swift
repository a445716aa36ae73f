package import Addressing

/// How the kernel tells the agent's own sockets from those of the pod.
package enum AgentExemption: Hashable, Sendable {
    /// By cgroup: `identifiers` are the inodes of the agents' cgroups (two of them during an upgrade), all `level`
    /// steps below the root of the cgroup namespace of the programming thread. Cannot be forged by a pod.
    case cgroups(Set<UInt64>, level: UInt32)
    /// By `MeshMarks.agent` alone, where there is no cgroup v2. Any container with NET_RAW can forge it.
    case mark
}

/// A destination that the pod reaches directly, by annotation.
package struct ExcludedDestination: Hashable, Sendable {
    package let prefix: IPPrefix
    package let ports: ClosedRange<UInt16>

    package init(_ prefix: IPPrefix, ports: ClosedRange<UInt16>) {
        self.prefix = prefix
        self.ports = ports
    }
}

/// What happens to traffic that is neither TCP nor ICMP, in one direction. Either way it is counted.
package enum NonTCPPolicy: Hashable, Sendable {
    case pass
    case drop
}

/// All that decides a pod's ruleset.
package struct PodCapturePlan: Hashable, Sendable {
    package var exemption: AgentExemption
    /// Sources whose TCP connections reach the application unredirected: the host rewrites kubelet probes to them.
    package var probeSources: Set<IPAddress> = Self.usualProbeSources
    package var excludedOutbound: Set<ExcludedDestination> = []
    /// Ports on which the pod accepts connections itself. The mesh's own ports are left out of it.
    package var excludedInbound: Set<UInt16> = []
    /// Whether the pod has IPv6 addresses: then the policy route is set for IPv6 too. The rules always hold for both.
    package var hasIPv6 = false
    /// For ingress gateways: plaintext from outside reaches the application unredirected.
    package var bypassesInbound = false
    package var nonTCPOutbound: NonTCPPolicy = .pass
    package var nonTCPInbound: NonTCPPolicy = .pass

    package init(exemption: AgentExemption) {
        self.exemption = exemption
    }

    /// 169.254.7.127 and fd16:9254:7127:1337:ffff:ffff:ffff:ffff.
    package static let usualProbeSources: Set<IPAddress> = [
        IPAddress(v4: 0xa9fe_077f), IPAddress(v6: 0xfd16_9254_7127_1337_ffff_ffff_ffff_ffff),
    ]

    /// - Throws: `invalidPlan` if following it would exempt every process, or nobody.
    func validate() throws(CaptureError) {
        if case .cgroups(let identifiers, let level) = exemption {
            guard !identifiers.isEmpty else { throw CaptureError(.invalidPlan, "no cgroup of the agent is exempt") }
            // 1 is the inode of the root cgroup (kernel/cgroup/cgroup.c), level 0 its level.
            guard !identifiers.contains(1), (1...255).contains(level) else {
                throw CaptureError(.invalidPlan, "the root cgroup cannot be exempt: it holds every process")
            }
        }
        guard excludedOutbound.count <= 4096, excludedInbound.count <= 4096 else {
            throw CaptureError(.invalidPlan, "more than 4096 excluded destinations or ports")
        }
    }
}
