import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Faults under a running mesh` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func echo(from pod: TestPod = TwoNodes.web) throws -> String {
            try mesh.outcome(from: pod, to: mesh.address(api), PodServer.echo)
        }

        /// Many short connections at once; true if all were answered.
        private func connectOften(_ count: Int) throws -> Bool {
            let answer = try mesh.python(
                web.name,
                #"""
                results = []
                def some():
                    for i in range(\#(count / 10)):
                        results.append(outcome("\#(mesh.machine.serviceV4(10))", 7000, b"x"))
                threads = [threading.Thread(target=some) for i in range(10)]
                for t in threads: t.start()
                for t in threads: t.join()
                print(results.count("x|eof"))
                """#)
            return answer == "\(count)"
        }

        @Test(arguments: [
            "nft flush ruleset", "nft flush chain inet meshnode nat_pre", "nft delete table inet meshnode",
            "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1",
            "sh -c 'ip rule del pref 32764 && ip -6 rule del pref 32764'",
        ])
        func `rules that somebody else changes are put back`(command: String) throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try mesh.manifests.put("policy.yaml", Manifests.strict)
            try eventually("plaintext is refused") { try echo(from: TwoNodes.legacy) == "reset" }
            let agent = try mesh.agent(.b)
            let repairs = try agent.status["agent"]["captureRepairs"].number
            try Command.shell("nsenter --net=\(mesh.machine.path(api.name)) \(command)")
            try eventually("the repair is counted", within: 4) {
                try agent.status["agent"]["captureRepairs"].number > repairs
            }
            #expect(try echo(from: TwoNodes.legacy) == "reset")
            #expect(try echo() == "x|eof")
            #expect(try mesh.outcome(from: api, to: mesh.address(web), PodServer.echo) == "x|eof")
            let held = try Command.shell(
                "nsenter --net=\(mesh.machine.path(api.name)) cat /proc/sys/net/netfilter/nf_conntrack_tcp_loose")
            #expect(held == "0")
        }

        @Test func `a log that nobody reads does not hold up traffic`() throws {
            #expect(try mesh.agent(.b).stop() == 0)
            try mesh.startAgent(.b, isClogged: true)
            try mesh.waitUntilReady()
            // Some hundred bytes a line: far more than a pipe takes.
            #expect(try connectOften(600))
            #expect(try mesh.agent(.b).isReady(captured: 2))
            kill(try mesh.agent(.b).pid, SIGTERM)
            _ = try mesh.agent(.b).waitForExit()
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
        }

        @Test func `manifests that are gone leave what is in force, and are read when they are back`() throws {
            let away = mesh.manifests.directory + ".away"
            rename(mesh.manifests.directory, away)
            var isBack = false
            defer { if !isBack { rename(away, mesh.manifests.directory) } }
            let agent = try mesh.agent(.b)
            try eventually("status tells of it") {
                let status = try agent.status
                return status["verdict"].text == "DEGRADED"
                    && "\(status["problems"]) \(status["manifestProblems"])".contains(mesh.manifests.directory)
            }
            #expect(try echo() == "x|eof")
            #expect(try agent.isReady(captured: 2))
            rename(away, mesh.manifests.directory)
            isBack = true
            try eventually("the mesh is well again") { try agent.status["verdict"].text == "OK" }
            try mesh.manifests.put("policy.yaml", Manifests.allow(nil, to: "api", in: "pay"))
            defer { mesh.manifests.remove("policy.yaml") }
            try eventually("changes are applied again") { try echo() == "reset" }
        }

        @Test func `descriptors and memory are back where they were after much traffic`() throws {
            #expect(try connectOften(300))
            let workers = try Node.allCases.map { try mesh.agent($0).child("worker") }
            func descriptors() throws -> [Int] {
                try workers.map { try FileManager.default.contentsOfDirectory(atPath: "/proc/\($0)/fd").count }
            }
            func memory() throws -> [Int] {
                try Node.allCases.map { try mesh.agent($0).status["agent"]["worker"]["residentBytes"].number }
            }
            let before = try (descriptors(), memory())
            for _ in 0..<3 { #expect(try connectOften(300)) }
            // Sockets in stock are open, too: some dozen per loop and pod, whatever the traffic was.
            try eventually("descriptors are back") {
                try zip(descriptors(), before.0).allSatisfy { $0 <= $1 + 120 }
            }
            #expect(try zip(memory(), before.1).allSatisfy { $0 - $1 < 8 << 20 })
        }
    }
}
