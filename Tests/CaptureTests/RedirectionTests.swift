import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `Outbound connections of a captured pod` {
        @Test(arguments: [(TestPod.outsideV4, "10.202.0.1:9090"), (TestPod.outsideV6, "[fd00:202::1]:9090")])
        func `are redirected and keep their destination`(address: String, original: String) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            #expect(try pod.connect(from: pod.pod, to: address, 9090).listener == "server")
            let capture = try pod.capture()
            let reached = try pod.connect(from: pod.pod, to: address, 9090)
            #expect(reached.listener == "outbound")
            #expect(reached.originalDestination?.hasSuffix(original) == true)
            #expect(capture.verify() == nil)
        }

        @Test func `are refused while the agent does not listen`() throws {
            let pod = try TestPod()
            try pod.listen("server", in: pod.outside, "::", 9090)
            _ = try pod.capture()
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "refused")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV6, 9090).listener == "refused")
        }

        @Test(arguments: ["127.0.0.1", "127.8.9.1", "::1", TestPod.podV4, TestPod.podV6])
        func `within the pod are not captured`(address: String) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            let capture = try pod.capture()
            #expect(try pod.connect(from: pod.pod, to: address, TestPod.applicationPort).listener == "application")
            withExtendedLifetime(capture) {}
        }

        @Test func `are redirected where loopback has no IPv6, too`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            try pod.run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=1")
            let capture = try pod.capture()
            #expect(capture.verify() == nil)
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "outbound")
            try capture.delete()
        }

        @Test(arguments: [TestPod.outsideV4, TestPod.outsideV6])
        func `with the agent's mark are exempt, in the bits of the mesh only`(address: String) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture()
            func reached(_ mark: Int) throws -> String {
                try pod.connect(from: pod.pod, to: address, 9090, ["mark": mark]).listener
            }
            #expect(try reached(0x539) == "server")
            #expect(try reached(0xab539) == "server")
            #expect(try reached(0x538) == "outbound")
            #expect(try reached(0x53900) == "outbound")
        }

        @Test func `reach an excluded destination directly, and no other`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture {
                $0.excludedOutbound = [
                    ExcludedDestination(prefix("10.202.0.0/24"), ports: 400...443),
                    ExcludedDestination(prefix("10.202.0.0/16"), ports: 443...443),
                    ExcludedDestination(prefix("fd00:202::/64"), ports: 443...500),
                ]
            }
            for address in [TestPod.outsideV4, TestPod.outsideV6] {
                #expect(try pod.connect(from: pod.pod, to: address, 443).listener == "serverTLS")
                #expect(try pod.connect(from: pod.pod, to: address, 9090).listener == "outbound")
            }
            #expect(try pod.connect(from: pod.pod, to: "10.203.0.1", 443).listener == "outbound")
        }
    }

    @Suite struct `Inbound connections of a captured pod` {
        @Test(arguments: [(TestPod.podV4, "10.202.0.2:8080"), (TestPod.podV6, "[fd00:202::2]:8080")])
        func `are redirected and keep their destination`(address: String, original: String) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            #expect(try pod.connect(from: pod.outside, to: address, 8080).listener == "application")
            _ = try pod.capture()
            let reached = try pod.connect(from: pod.outside, to: address, 8080)
            #expect(reached.listener == "inbound")
            #expect(reached.originalDestination?.hasSuffix(original) == true)
        }

        @Test(arguments: [TestPod.podV4, TestPod.podV6])
        func `reach the tunnel's port directly, and the agent's other ports never`(address: String) throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture { $0.excludedInbound = [15001, 15006] }
            #expect(try pod.connect(from: pod.outside, to: address, 15008).listener == "tunnel")
            #expect(try pod.connect(from: pod.outside, to: address, 15001).listener == "inbound")
        }

        @Test func `from the probe's address reach the application, from its neighbour not`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture()
            try shell("ip -n \(pod.outside) addr add fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128 dev lo")
            try shell("ip -n \(pod.outside) addr add 169.254.7.126/32 dev lo")
            func reached(_ source: String, _ target: String) throws -> String {
                try pod.connect(from: pod.outside, to: target, 8080, ["from": source]).listener
            }
            #expect(try reached("169.254.7.127", TestPod.podV4) == "application")
            #expect(try reached("fd16:9254:7127:1337:ffff:ffff:ffff:ffff", TestPod.podV6) == "application")
            #expect(try reached("169.254.7.126", TestPod.podV4) == "inbound")
        }

        @Test func `reach an excluded port directly, and no other`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture { $0.excludedInbound = [8080] }
            try pod.listen("other", in: pod.pod, "::", 8081)
            for address in [TestPod.podV4, TestPod.podV6] {
                #expect(try pod.connect(from: pod.outside, to: address, 8080).listener == "application")
                #expect(try pod.connect(from: pod.outside, to: address, 8081).listener == "inbound")
            }
        }

        @Test func `of a gateway are not redirected, while its outbound ones are`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            _ = try pod.capture { $0.bypassesInbound = true }
            #expect(try pod.connect(from: pod.outside, to: TestPod.podV4, 8080).listener == "application")
            #expect(try pod.connect(from: pod.pod, to: TestPod.outsideV4, 9090).listener == "outbound")
        }
    }

    @Suite struct `The agent's connection to the application` {
        @Test(arguments: [(TestPod.foreignV4, TestPod.podV4), (TestPod.foreignV6, TestPod.podV6)])
        func `may carry the client's address, because the answers stay in the pod`(foreign: String, target: String)
            throws
        {
            let pod = try TestPod()
            try pod.listenEverywhere()
            let capture = try pod.capture()
            let options: [String: Any] = ["from": foreign, "transparent": true, "mark": 0x539, "patience": 0.5]
            let reached = try pod.connect(from: pod.pod, to: target, 8080, options.merging(["keep": "spoofed"]) { $1 })
            #expect(reached.listener == "application")
            #expect(reached.peer?.hasSuffix(foreign) == true)
            #expect(try pod.exchange("spoofed") == "works")
            // Without the policy rule the answer leaves by the default route: this test can fail.
            try pod.run("ip rule del pref 32764")
            try pod.run("ip -6 rule del pref 32764")
            #expect(try pod.connect(from: pod.pod, to: target, 8080, options).listener == "nothing")
            #expect(capture.verify()?.differences == [.policyRule("IPv4"), .policyRule("IPv6")])
        }
    }
}
