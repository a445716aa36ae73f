import Foundation
import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `nft's listing` {
        @Test func `shows the intended ruleset`() throws {
            let pod = try TestPod()
            let capture = try pod.capture {
                $0.excludedInbound = [22, 15008]
                $0.excludedOutbound = [
                    ExcludedDestination(prefix("10.0.0.0/8"), ports: 80...90),
                    ExcludedDestination(prefix("10.1.2.3/32"), ports: 85...443),
                    ExcludedDestination(prefix("fd09::/16"), ports: 0...65535),
                ]
                $0.nonTCPOutbound = .drop
            }
            let difference = try lines(pod.listing()).difference(from: lines(intended))
            #expect(difference.isEmpty)
            #expect(capture.verify() == nil)
        }

        @Test func `shows the exemption by cgroup`() throws {
            let pod = try TestPod()
            let capture = try pod.capture { $0.exemption = .cgroups([7_001, 7_002], level: 3) }
            let listing = try lines(pod.listing())
            #expect(listing.contains("socket cgroupv2 level 3 @exempt_agents return"))
            #expect(listing.contains { $0.contains("7001") } && listing.contains { $0.contains("7002") })
            #expect(!listing.contains { $0.hasPrefix("meta mark") })
            #expect(capture.verify() == nil)
        }

        private func lines(_ text: String) -> [String] {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        }

        private let intended = """
            table inet meshnode {
                set excluded_out {
                    type ipv4_addr . inet_service
                    flags interval
                    elements = { 10.0.0.0/8 . 80-90,
                             10.1.2.3 . 91-443 }
                }
                set excluded_out6 {
                    type ipv6_addr . inet_service
                    flags interval
                    elements = { fd09::/16 . 0-65535 }
                }
                set excluded_in {
                    type inet_service
                    elements = { 22 }
                }
                chain mangle_pre {
                    type filter hook prerouting priority -150; policy accept;
                    iifname "lo" meta mark & 0x00000fff == 0x00000539 ct mark set ct mark & 0xfffff111 | 0x00000111
                }
                chain mangle_out {
                    type route hook output priority -150; policy accept;
                    ct mark & 0x00000fff == 0x00000111 meta mark set meta mark & 0xfffff111 | 0x00000111
                }
                chain nat_pre {
                    type nat hook prerouting priority -100; policy accept;
                    iifname "lo" return
                    fib daddr type != local return
                    ip saddr 169.254.7.127 return
                    ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff return
                    tcp dport 15008 return
                    tcp dport @excluded_in return
                    meta l4proto tcp redirect to :15006
                }
                chain nat_out {
                    type nat hook output priority -100; policy accept;
                    meta mark & 0x00000fff == 0x00000539 return
                    ct mark & 0x00000fff == 0x00000111 return
                    ip daddr 127.0.0.0/8 return
                    ip6 daddr ::1 return
                    oifname "lo" return
                    ip daddr . tcp dport @excluded_out return
                    ip6 daddr . tcp dport @excluded_out6 return
                    meta l4proto tcp redirect to :15001
                }
                chain non_tcp_out {
                    type filter hook output priority 0; policy accept;
                    oifname "lo" return
                    meta l4proto tcp return
                    meta l4proto icmp return
                    meta l4proto ipv6-icmp return
                    ct direction reply return
                    meta mark & 0x00000fff == 0x00000539 return
                    udp dport 53 return
                    ip daddr . udp dport @excluded_out return
                    ip6 daddr . udp dport @excluded_out6 return
                    ip daddr . sctp dport @excluded_out return
                    ip6 daddr . sctp dport @excluded_out6 return
                    counter packets 0 bytes 0 drop
                }
                chain non_tcp_in {
                    type filter hook input priority 0; policy accept;
                    iifname "lo" return
                    meta l4proto tcp return
                    meta l4proto icmp return
                    meta l4proto ipv6-icmp return
                    ct direction reply return
                    udp dport @excluded_in return
                    sctp dport @excluded_in return
                    counter packets 0 bytes 0
                }
            }
            """
    }
}
