import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `The whole mesh in one view` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func node(_ name: String, in status: JSONValue) -> JSONValue? {
            status["nodes"].items.first { $0["name"].text == name }
        }

        private func codes(_ status: JSONValue) -> [String] { status["problems"].items.map { $0["code"].text } }

        /// The command as a person runs it; all that it says, and its exit status.
        private func run(_ node: Node, _ arguments: String...) throws -> CommandResult {
            let agent = try mesh.agent(node)
            return try Command.run([agent.binary] + arguments + ["--socket", agent.socket], seconds: 15)
        }

        @Test(arguments: Node.allCases)
        func `is the same from either node`(asked: Node) throws {
            try eventually("both nodes are ready, with one configuration") {
                let status = try mesh.agent(asked).report("status")
                let nodes = status["nodes"].items
                return nodes.map { $0["name"].text } == ["node-a", "node-b"]
                    && nodes.allSatisfy { $0["state"].text == "Ready" && $0["capturedPods"].number == 2 }
                    && Set(nodes.map { $0["configurationVersion"].number }).count == 1
                    && status["controller"]["state"].text == "OK" && status["controller"]["place"].text == "node-a"
            }
            let only = try mesh.agent(asked).report("status", "--node", "node-\(asked.other.rawValue)")
            #expect(only["nodes"].items.map { $0["name"].text } == ["node-\(asked.other.rawValue)"])
            #expect(try run(asked, "status", "--node", "node-x").status == 65)
        }

        @Test func `is told by the controller's own socket, too`() throws {
            let agent = try mesh.agent(.a)
            let socket = agent.runDirectory + "/controller-admin.sock"
            let result = try Command.run([agent.binary, "status", "-o", "name", "--controller", socket])
            #expect(result.output == "node/node-a\nnode/node-b")
            #expect(try Command.run([agent.binary, "status", "--controller", "/nowhere"]).status == 4)
        }

        @Test func `names a node whose agent is killed, and guesses nothing of it`() throws {
            let agent = try mesh.agent(.b)
            kill(agent.pid, SIGKILL)
            _ = try agent.waitForExit()
            let status = try eventually("node b is lost", within: 40) {
                let status = try mesh.agent(.a).report("status")
                return node("node-b", in: status)?["state"].text == "Lost" ? status : nil
            }
            let lost = try #require(node("node-b", in: status))
            #expect(lost["silentSeconds"].number >= 15)
            // JSONValue has -1 for what is not there.
            #expect(lost["connections"].number == -1)
            #expect(lost["residentBytes"].number == -1)
            #expect(lost["validCertificates"].number == -1)
            #expect(status["nodesWithoutTraffic"].number == 1)
            let problem = try #require(status["problems"].items.first { $0["code"].text == "MN2003" })
            #expect(problem["object"].text == "node-b")
            #expect(status["verdict"].text == "DEGRADED")
            let screen = try run(.a, "status")
            #expect(screen.status == 2)
            #expect(screen.output.contains("1/2 ready") && screen.output.contains("no heartbeat for"))
            #expect(try run(.a, "check").output.contains("✗ node node-b"))
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
            try eventually("node b is ready again") {
                let status = try mesh.agent(.a).report("status")
                return node("node-b", in: status)?["state"].text == "Ready" && !codes(status).contains("MN2003")
            }
        }

        @Test(arguments: Node.allCases)
        func `shows what the keeper knows, and the mesh, while a worker is down`(which: Node) throws {
            let agent = try mesh.agent(which)
            let name = "node-\(which.rawValue)"
            // Each worker that comes is killed, so that the keeper waits longer and longer before the next.
            let status = try eventually("the keeper waits before it starts another", within: 40) {
                if let worker = try? agent.child("worker") { kill(worker, SIGKILL) }
                let status = try agent.report("status")
                return node(name, in: status)?["state"].text == "Restarting" ? status : nil
            }
            #expect(codes(status).contains("MN2007"))
            #expect(status["verdict"].text == "DEGRADED")
            let own = try #require(node(name, in: status))
            #expect(own["capturedPods"].number == 2)
            #expect(own["restarts"].number > 0)
            #expect(own["connections"].number == -1)
            let other = try #require(node("node-\(which.other.rawValue)", in: status))
            #expect(other["state"].text == "Ready")
            try eventually("the worker is back", within: 60) { try agent.isReady(captured: 2) }
        }

        @Test func `says why and since when the controller is not reached, and shows its own node`() throws {
            #expect(try mesh.agent(.a).stop() == 0)
            let agent = try mesh.agent(.b)
            let status = try eventually("node b says so") {
                let status = try agent.report("status")
                return status["controller"]["state"].text == "LOST" ? status : nil
            }
            let reason = status["controller"]["reason"].text
            #expect(reason.contains(mesh.controllerAddress), "\(reason)")
            #expect(reason.contains("since 20"), "\(reason)")
            #expect(codes(status).contains("MN2006"))
            #expect(status["certificateAuthority"]["state"].text == "?")
            #expect(node("node-b", in: status)?["state"].text == "Ready")
            let far = try #require(node("node-a", in: status))
            #expect(far["state"].text == "?")
            #expect(far["capturedPods"].number == -1)
            let local = try agent.status
            #expect(local["controller"]["state"].text == "LOST")
            #expect(codes(local).contains("MN2004"))
            // Nobody may take the last that was heard for what is wanted now.
            #expect(try run(.b, "diff").status == 2)
            #expect(try run(.b, "edges").output.contains("Only what node-b saw"))
            #expect(try run(.b, "check").output.contains("✗ controller"))
            try mesh.startAgent(.a)
            try mesh.waitUntilReady()
            try eventually("all is well again", within: 30) {
                let status = try agent.report("status")
                return status["verdict"].text == "OK"
                    && status["nodes"].items.allSatisfy { $0["state"].text == "Ready" }
            }
        }

        @Test func `shows a node that is not let in why not`() throws {
            let binary = try AgentBinary.path
            let stranger = try Agent(
                mesh.machine, in: Node.b.rawValue, directory: mesh.directory, name: "agent-c",
                arguments: [
                    "--controller", mesh.controllerAddress, "--join-token", mesh.directory + "/token-b",
                    "--state-directory", mesh.directory + "/state-c", "--node", "node-c", "--metrics-port", "15030",
                    "--readiness-port", "15031",
                ])
            defer { _ = try? stranger.stop() }
            let words = "is for the node 'node-b', not for 'node-c'"
            try eventually("its own status tells") {
                try stranger.report("status")["controller"]["reason"].text.contains(words)
            }
            #expect(try !stranger.status["agent"]["isReady"].bool)
            #expect(try Command.run([binary, "status", "--socket", stranger.socket]).status == 2)
            try eventually("the controller's log tells") {
                try mesh.agent(.a).log.contains("was not let in as node node-c")
            }
            #expect(node("node-c", in: try mesh.agent(.a).report("status")) == nil)
        }

        @Test func `finds what is not enforced as it is wanted`() throws {
            let late = TestPod(name: "late", node: .a, number: 77, namespace: "shop")
            defer {
                mesh.manifests.remove("late.yaml")
                mesh.manifests.remove("policy.yaml")
            }
            try eventually("nothing differs") { try run(.a, "diff").status == 0 }
            // There is no such pod on the node.
            try mesh.manifests.put("late.yaml", mesh.manifests.pod(late))
            // Paths are for waypoints: without one the rule is enforced more strictly than it is written.
            try mesh.manifests.put(
                "policy.yaml",
                Manifests.allow("ns/shop/sa/web", to: "api", in: "pay")
                    + "      to:\n        - operation:\n            paths: [\"/x\"]\n")
            let diff = try eventually("both are found") {
                let diff = try mesh.agent(.a).report("diff")
                let differing = diff["items"].items.filter { !$0["isSame"].bool }
                let subjects = differing.map { "\($0["subject"].text) \($0["object"].text)" }
                return subjects.contains("pod shop/late") && subjects.contains { $0.contains("pay/api-callers") }
                    ? differing : nil
            }
            #expect(diff.contains { $0["reason"].text.contains("which need a waypoint") }, "\(diff)")
            #expect(try run(.a, "diff").status == 2)
        }
    }
}
