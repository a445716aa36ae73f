import Testing

@testable import Capture

extension OnRealNamespaces {
    /// A foreign ACK with an option that makes the application's kernel drop it in silence, then a plain SYN from the
    /// same port: where conntrack is at work before the enrolment and tracks loosely, the ACK makes an entry that NAT
    /// never sees, and the SYN belongs to it.
    @Suite struct `A foreign ACK before the SYN` {
        private func sendACK(_ pod: TestPod, port: Int) throws {
            try pod.order([
                "do": "foreignAck", "space": pod.outside, "from": TestPod.outsideV4, "fromPort": port,
                "to": TestPod.podV4, "port": TestPod.applicationPort,
            ])
        }

        private func sendSYN(_ pod: TestPod, port: Int) throws -> String {
            let options: [String: Any] = ["from": TestPod.outsideV4, "fromPort": port]
            return try pod.connect(from: pod.outside, to: TestPod.podV4, TestPod.applicationPort, options).listener
        }

        /// A pod where something else has conntrack at work, as a firewall of the pod's own does.
        private func podWithConntrack() throws -> TestPod {
            let pod = try TestPod()
            try pod.listenEverywhere()
            try pod.run("nft add table inet other")
            try pod.run("nft add chain inet other x '{ type filter hook input priority 0; }'")
            try pod.run("nft add rule inet other x ct state new counter")
            return pod
        }

        @Test func `does not get past the redirection when it comes after the enrolment`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture()
            for port in 40_000..<40_005 {
                try sendACK(pod, port: port)
                #expect(try sendSYN(pod, port: port) == "inbound")
            }
        }

        @Test func `does not get past the redirection when it came before the enrolment`() throws {
            let pod = try podWithConntrack()
            try pod.connect(from: pod.outside, to: TestPod.podV4, TestPod.applicationPort, ["keep": "earlier"])
            try sendACK(pod, port: 40_000)
            _ = try pod.capture()
            #expect(try sendSYN(pod, port: 40_000) == "inbound")
            #expect(try pod.exchange("earlier") == "works")
            // And no entry can be made that way any more, not even while nothing is redirected.
            try pod.run("nft flush chain inet meshnode nat_pre")
            try sendACK(pod, port: 40_001)
            let second = try pod.capture()
            #expect(try sendSYN(pod, port: 40_001) == "inbound")
            #expect(second.verify() == nil)
        }

        @Test func `would get past rules alone, so this attack is real`() throws {
            let pod = try podWithConntrack()
            try sendACK(pod, port: 40_000)
            var socket = try pod.namespace.perform { () throws(CaptureError) in try NetlinkSocket(.netfilter) }
            var transaction = Transaction(socket.makeMessages())
            try transaction.replaceTable(with: Ruleset.capture(PodCapturePlan(exemption: .mark)))
            try transaction.commit(to: &socket)
            #expect(try sendSYN(pod, port: 40_000) == "application")
            #expect(try sendSYN(pod, port: 40_002) == "inbound")
            // While nothing is redirected and tracking is loose, an ACK makes such an entry in our own table too.
            try pod.run("nft flush chain inet meshnode nat_pre")
            try sendACK(pod, port: 40_001)
            _ = try pod.capture()
            #expect(try sendSYN(pod, port: 40_001) == "application")
        }

        @Test func `needs loose tracking, which is watched and set back`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            let capture = try pod.capture()
            try pod.run("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1")
            #expect(capture.verify()?.differences == [.sysctl("net.netfilter.nf_conntrack_tcp_loose")])
            try capture.repair()
            #expect(try pod.run("sysctl -n net.netfilter.nf_conntrack_tcp_loose") == "0\n")
            #expect(capture.verify() == nil)
        }
    }
}
