import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `A captured connection` {
        private func capturedBothWays(_ pod: TestPod) throws -> PodCapture {
            try pod.listenEverywhere()
            let capture = try pod.capture()
            #expect(
                try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090, ["keep": "out"]).listener == "outbound")
            #expect(
                try pod.connect(from: pod.outside, to: TestPod.podV6, 8080, ["keep": "in"]).listener == "inbound")
            return capture
        }

        @Test func `survives that the pod is enrolled again`() throws {
            let pod = try TestPod()
            let capture = try capturedBothWays(pod)
            let before = try pod.listing()
            var plan = PodCapturePlan(exemption: .mark)
            plan.hasIPv6 = true
            for _ in 0..<20 { try pod.namespace.perform { () throws(CaptureError) in try capture.enrol(plan) } }
            #expect(try pod.listing() == before)
            #expect(try pod.exchange("out") == "works")
            #expect(try pod.exchange("in") == "works")
            #expect(try pod.run("ip rule").components(separatedBy: "0x111/0xfff").count == 2)
        }

        @Test func `survives that agents come and go, whichever exemption they have`() throws {
            let pod = try TestPod()
            let capture = try capturedBothWays(pod)
            let first: Set<UInt64> = [4711]
            // From the mark to cgroups the table is replaced; from then on only the set's elements change.
            try pod.namespace.perform { () throws(CaptureError) in
                try capture.replaceExemption(.cgroups(first, level: 2))
            }
            for number in UInt64(100)..<120 {
                try capture.replaceExemption(.cgroups(first.union([number]), level: 2))
                try capture.replaceExemption(.cgroups(first, level: 2))
            }
            #expect(capture.verify() == nil)
            #expect(try pod.exchange("out") == "works")
            #expect(try pod.exchange("in") == "works")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "outbound")
        }

        @Test func `goes on when capture stops, while new ones are direct`() throws {
            let pod = try TestPod()
            let capture = try capturedBothWays(pod)
            try capture.stopCapturing()
            #expect(capture.verify() == nil)
            #expect(try pod.exchange("out") == "works")
            #expect(try pod.exchange("in") == "works")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "server")
            #expect(try pod.connect(from: pod.outside, to: TestPod.podV6, 8080).listener == "application")
        }

        @Test func `is cut by the deletion, which leaves nothing behind`() throws {
            let pod = try TestPod()
            let capture = try capturedBothWays(pod)
            try capture.stopCapturing()
            try capture.delete()
            #expect(try pod.listing().isEmpty)
            for family in ["-4", "-6"] {
                #expect(try !pod.run("ip \(family) rule").contains("0x111"))
                #expect(try pod.run("ip \(family) route show table 100 || true").contains("local") == false)
            }
            #expect(try pod.exchange("out") != "works")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "server")
            try capture.delete()
            #expect(capture.verify() == nil)
        }
    }

    @Suite struct `A transaction` {
        @Test func `that the kernel refuses leaves what was there, and says which object it was`() throws {
            let pod = try TestPod()
            var socket = try pod.namespace.perform { () throws(CaptureError) in try NetlinkSocket(.netfilter) }
            var plan = PodCapturePlan(exemption: .mark)
            plan.excludedInbound = [8080]
            var broken = Ruleset.capture(plan)
            broken.sets = []
            let error = #expect(throws: CaptureError.self) { try commit(broken, &socket) }
            #expect(error?.code == .rejected)
            #expect(error?.message.contains("rule \"excluded ports\" of chain nat_pre: No such file") == true)
            #expect(try pod.listing().isEmpty)
            try commit(Ruleset.capture(plan), &socket)
            let before = try pod.listing()
            #expect(throws: CaptureError.self) { try commit(broken, &socket) }
            #expect(try pod.listing() == before)
        }

        private func commit(_ ruleset: Ruleset, _ socket: inout NetlinkSocket) throws(CaptureError) {
            var transaction = Transaction(socket.makeMessages())
            try transaction.replaceTable(with: ruleset)
            try transaction.commit(to: &socket)
        }

        @Test func `of a pod that cannot be captured leaves no route behind`() throws {
            let pod = try TestPod()
            let capture = try pod.makeCapture()
            let plan = PodCapturePlan(exemption: .cgroups([1], level: 1))
            #expect(throws: CaptureError.self) { try pod.namespace.perform { try capture.enrol(plan) } }
            #expect(try pod.listing().isEmpty)
            #expect(try !pod.run("ip rule").contains("0x111"))
            #expect(capture.verify() == nil)
        }

        @Test func `holds a thousand excluded ports and destinations`() throws {
            let pod = try TestPod()
            let capture = try pod.capture { plan in
                plan.excludedInbound = Set(20_000..<21_000)
                plan.excludedOutbound = Set(
                    (UInt16(1)...1000).map {
                        ExcludedDestination(prefix("10.\($0 % 250).0.0/16"), ports: $0 * 10...$0 * 10 + 15)
                    })
            }
            #expect(capture.verify() == nil)
        }
    }
}
