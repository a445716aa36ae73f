import Foundation
import Testing

extension OnTwoNodes.Identities {
    @Suite struct `Who is trusted` {
        let mesh: IdentityMesh
        private let api = IdentityMesh.api

        init() throws {
            mesh = try IdentityMeshTrait.shared()
            try mesh.run(lifetime: "24h")
        }

        @Test func `a certificate that is taken back ends its connections, and lets none in`() throws {
            let held = try Dialogue.holding(
                mesh.machine, in: IdentityMesh.web.name, to: mesh.machine.v4(api), PodServer.echo)
            let serial = try mesh.certificate(on: .b)["serial"].text
            // Node b hears of it later, so that there is time to look.
            let subscriber = try mesh.agent(.b).child("subscriber")
            kill(subscriber, SIGSTOP)
            defer { kill(subscriber, SIGCONT) }
            try mesh.administer("revoke", serial)
            #expect(try held.say("wait") == "reset")
            for _ in 0..<3 { #expect(try mesh.echo() != "x|eof") }
            let refusal = try #require(try mesh.agent(.a).refusals.last)
            #expect(refusal["reason"].text == "CERT_REVOKED")
            #expect(refusal["detail"].text.contains(serial), "\(refusal)")
            #expect(try mesh.echo(from: api) != "x|eof", "as a client it is not trusted, either")
            kill(subscriber, SIGCONT)
            try eventually("node b gets another certificate", within: 20) {
                try mesh.certificate(on: .b)["serial"].text != serial
            }
            try mesh.waitUntilReady()
            let line = try eventually("the access log tells how the open one ended") {
                try mesh.agent(.a).accessLog.first { $0.contains("CERT_REVOKED") && $0.contains("bytes_sent=5 ") }
            }
            #expect(line.contains(serial) || line.contains("not trusted any more"), "\(line)")
        }

        /// An agent of node b, whose pod is still captured from before, that cannot join.
        @Test func `a node joins with its own token alone, and refuses enrolled traffic until then`() throws {
            let token = mesh.directory + "/token-tried"
            func write(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: token)) }
            // Of the root of today, and used by a node whose key is another one.
            try mesh.makeToken(for: "node-b", file: token)
            let used = try read("token-tried")
            try mesh.restartAgent(
                .b, credential: ["--join-token", token, "--state-directory", mesh.directory + "/state-b-first"])
            try mesh.waitUntilReady()
            try mesh.makeToken(for: "node-c", file: mesh.directory + "/token-c")
            try mesh.makeToken(for: "node-b", file: mesh.directory + "/token-short", ["--lifetime", "1s"])
            // Makes another authority.
            try mesh.makeToken(
                for: "node-b", file: mesh.directory + "/token-other", authority: mesh.directory + "/ca-other")
            let tries = [
                (used, ["was used already", "meshnode token create"]),
                (try read("token-c"), ["is for the node 'node-c', not for 'node-b'", "--node"]),
                (try read("token-other"), ["the token is of another mesh", "make a new token"]),
                (try read("token-short"), ["expired", "meshnode token create --node node-b"]),
                ("no token at all", ["token"]),
            ]
            try write(tries[0].0)
            let agent = try mesh.restartAgent(
                .b, credential: ["--join-token", token, "--state-directory", mesh.directory + "/state-b-again"])
            for (text, words) in tries {
                try write(text)
                var causes: [String] = []
                do {
                    try eventually("status says \(words)", within: 15) {
                        causes = try mesh.problems("MN2005", on: .b)
                        return words.allSatisfy { word in causes.contains { $0.contains(word) } }
                    }
                } catch {
                    throw CommandFailed(description: "\(error), but \(causes); its log:\n\(agent.log.suffix(2000))")
                }
                #expect(words.allSatisfy { agent.log.contains($0) })
                #expect(try !agent.status["agent"]["isReady"].bool)
                try expectRefused()
            }
            try mesh.makeToken(for: "node-b", file: token)
            try mesh.waitUntilReady()
            #expect(agent.isRunning)
        }

        private func read(_ name: String) throws -> String {
            try String(contentsOfFile: mesh.directory + "/" + name, encoding: .utf8)
        }

        private func expectRefused() throws {
            for pod in [IdentityMesh.web, api] {
                let outcome = try mesh.python(
                    pod.name,
                    #"print(outcome("\#(mesh.machine.v4(pod == api ? IdentityMesh.web : api))", 7000, b"x", timeout=1))"#
                )
                #expect(outcome != "x|eof", "from \(pod.name)")
            }
        }

        @Test func `an agent that starts without a controller says so, refuses enrolled traffic, and recovers`() throws
        {
            try mesh.stopAgent(.b)
            mesh.stopController()
            try eventually("one that runs says so, too", within: 15) {
                try mesh.problems("MN2004", on: .a).contains { $0.contains(mesh.controllerAddress) }
            }
            let agent = try mesh.restartAgent(.b)
            try eventually("status says that the controller does not answer", within: 15) {
                try mesh.problems("MN2005", on: .b).contains { $0.contains(mesh.controllerAddress) }
            }
            #expect(agent.log.contains(mesh.controllerAddress))
            let status = try agent.status
            #expect(status["verdict"].text == "DEGRADED" && !status["agent"]["isReady"].bool)
            try expectRefused()
            try mesh.startController()
            try mesh.waitUntilReady()
            #expect(agent.isRunning)
        }
    }
}
