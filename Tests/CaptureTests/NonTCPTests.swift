import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `Datagrams of a captured pod` {
        private func listen(_ pod: TestPod) throws {
            for (name, space, port) in [
                ("server", pod.outside, 443), ("dns", pod.outside, 53), ("application", pod.pod, 5000),
                ("excluded", pod.pod, 5001),
            ] {
                try pod.order(["do": "receive", "name": name, "space": space, "address": "::", "port": port])
            }
        }

        /// Who received it, and whether the answer came back.
        private func send(_ pod: TestPod, from space: String, to address: String, _ port: Int) throws -> String {
            let answer = try pod.order([
                "do": "datagram", "space": space, "to": address, "port": port, "patience": 0.3,
            ])
            let reached = answer["reached"] as? String ?? ""
            return answer["answered"] as? Bool == false ? reached + " without answer" : reached
        }

        @Test func `pass both ways and are counted`() throws {
            let pod = try TestPod()
            try listen(pod)
            let capture = try pod.capture()
            #expect(try send(pod, from: pod.pod, to: TestPod.outsideV4, 443) == "server")
            #expect(try send(pod, from: pod.pod, to: TestPod.outsideV6, 443) == "server")
            #expect(try send(pod, from: pod.outside, to: TestPod.podV4, 5000) == "application")
            #expect(try send(pod, from: pod.pod, to: TestPod.outsideV4, 53) == "dns")
            let counted = try capture.uncapturedTraffic()
            #expect(counted.outbound.packets == 2)
            #expect(counted.inbound.packets == 1)
            #expect(counted.inbound.bytes == 36)
            try capture.repair()
            #expect(try capture.uncapturedTraffic() == counted)
        }

        @Test(arguments: [(TestPod.outsideV4, TestPod.podV4), (TestPod.outsideV6, TestPod.podV6)])
        func `are dropped outbound under a strict egress, but not DNS, answers and exclusions`(
            server: String, application: String
        ) throws {
            let pod = try TestPod()
            try listen(pod)
            let capture = try pod.capture { $0.nonTCPOutbound = .drop }
            #expect(try send(pod, from: pod.pod, to: server, 443) == "refused")
            #expect(try capture.uncapturedTraffic().outbound.packets == 1)
            #expect(try send(pod, from: pod.pod, to: server, 53) == "dns")
            #expect(try send(pod, from: pod.outside, to: application, 5000) == "application")
            #expect(try send(pod, from: pod.pod, to: application, 5000) == "application")
            let excluding = try pod.capture {
                $0.nonTCPOutbound = .drop
                $0.excludedOutbound = [ExcludedDestination(prefix(server), ports: 443...443)]
            }
            #expect(try send(pod, from: pod.pod, to: server, 443) == "server")
            try excluding.stopCapturing()
            #expect(try send(pod, from: pod.pod, to: server, 443) == "server")
        }

        @Test(arguments: [(TestPod.outsideV4, TestPod.podV4), (TestPod.outsideV6, TestPod.podV6)])
        func `are dropped inbound under STRICT, but not answers and excluded ports`(
            server: String, application: String
        ) throws {
            let pod = try TestPod()
            try listen(pod)
            let capture = try pod.capture {
                $0.nonTCPInbound = .drop
                $0.excludedInbound = [5001]
            }
            #expect(try send(pod, from: pod.outside, to: application, 5000) == "nothing")
            #expect(try capture.uncapturedTraffic().inbound.packets == 1)
            #expect(try send(pod, from: pod.outside, to: application, 5001) == "excluded")
            #expect(try send(pod, from: pod.pod, to: server, 443) == "server")
            #expect(try pod.order(["do": "ping", "space": pod.pod, "to": server])["answered"] as? Bool == true)
        }
    }
}
