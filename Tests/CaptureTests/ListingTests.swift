import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `nft's listing` {
        @Test func `shows the intended ruleset`() throws {
            let pod = try TestPod()
            let capture = try pod.capture {
                $0.excludedInbound = [22, 9100, 15008]
                $0.excludedOutbound = [
                    ExcludedDestination(prefix("10.0.0.0/8"), ports: 80...90),
                    ExcludedDestination(prefix("10.1.2.3/32"), ports: 85...443),
                    ExcludedDestination(prefix("fd09::/16"), ports: 0...65535),
                ]
                $0.nonTCPOutbound = .drop
            }
            print(try pod.listing())
            withExtendedLifetime(capture) {}
        }

        @Test func `shows the exemption by cgroup`() throws {
            let pod = try TestPod()
            _ = try pod.capture { $0.exemption = .cgroups([7_001, 7_002], level: 3) }
            print(try pod.listing())
        }
    }
}
