import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `Drift` {
        private static let cases: [(String, [CaptureDrift.Difference])] = [
            ("nft flush ruleset", [.tableMissing]),
            (
                "nft flush table inet meshnode",
                [
                    .rulesDiffer(
                        chain: "mangle_pre", firstPurpose: "the agent's connections to the application are marked"),
                    .rulesDiffer(chain: "mangle_out", firstPurpose: "answers on the agent's connections stay local"),
                    .rulesDiffer(chain: "nat_pre", firstPurpose: "connections within the pod are not captured"),
                    .rulesDiffer(chain: "nat_out", firstPurpose: "the agent's mark is exempt"),
                    .rulesDiffer(chain: "non_tcp_out", firstPurpose: "traffic within the pod"),
                    .rulesDiffer(chain: "non_tcp_in", firstPurpose: "traffic within the pod"),
                ]
            ),
            (
                "sh -c 'nft -a list chain inet meshnode nat_pre | sed -n \"s/.*15006 # handle //p\" |"
                    + " xargs nft delete rule inet meshnode nat_pre handle'",
                [.rulesDiffer(chain: "nat_pre", firstPurpose: "inbound connections are redirected")]
            ),
            (
                "nft insert rule inet meshnode nat_out return",
                [.rulesDiffer(chain: "nat_out", firstPurpose: "the agent's mark is exempt")]
            ),
            (
                "nft add rule inet meshnode nat_out log",
                [.rulesDiffer(chain: "nat_out", firstPurpose: nil)]
            ),
            ("nft add element inet meshnode excluded_in { 22 }", [.setDiffers("excluded_in")]),
            ("nft delete element inet meshnode excluded_out { 10.9.0.0/16 . 80 }", [.setDiffers("excluded_out")]),
            ("nft add set inet meshnode more { type inet_service\\; }", [.setUnknown("more")]),
            ("nft add chain inet meshnode more '{ type nat hook output priority mangle; }'", [.chainUnknown("more")]),
            ("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1", [.sysctl("net.netfilter.nf_conntrack_tcp_loose")]),
            ("ip rule del pref 32764", [.policyRule("IPv4")]),
            ("ip -6 rule del pref 32764", [.policyRule("IPv6")]),
            ("ip route del local default dev lo table 100", [.policyRoute("IPv4")]),
            ("ip -6 route del local default dev lo table 100", [.policyRoute("IPv6")]),
            ("ip route replace blackhole default table 100", [.policyRoute("IPv4")]),
        ]

        @Test(arguments: cases)
        func `is found, named and repaired from outside the namespace`(
            command: String, expected: [CaptureDrift.Difference]
        ) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            let capture = try pod.capture {
                $0.excludedInbound = [2222]
                $0.excludedOutbound = [
                    ExcludedDestination(prefix("10.9.0.0/16"), ports: 80...80),
                    ExcludedDestination(prefix("fd09::/16"), ports: 80...90),
                ]
            }
            let intended = try pod.listing()
            #expect(capture.verify() == nil)
            #expect(capture.verify() == nil)
            try pod.run(command)
            #expect(capture.verify()?.differences == expected)
            try capture.repair()
            #expect(capture.verify() == nil)
            #expect(try pod.listing() == intended)
            #expect(try pod.connect(from: pod.outside, to: TestPod.podV4, 8080).listener == "inbound")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV6, 9090).listener == "outbound")
        }

        @Test func `is not seen in the tables of others`() throws {
            let pod = try TestPod()
            let capture = try pod.capture()
            try pod.run("nft add table inet other")
            try pod.run("nft add chain inet other x '{ type filter hook input priority 0; policy drop; }'")
            #expect(capture.verify() == nil)
        }
    }
}
