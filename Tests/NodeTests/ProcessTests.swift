import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Processes that end` {
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

        /// 200 connections a second: how many connect() were refused, and how many hung. A reset right after the accept can
        /// show in connect() itself, and is none.
        private static let steady = #"""
            results = []
            def one(i):
                begin = time.monotonic()
                try:
                    c = connect(HOST, 7000, 10)
                except ConnectionResetError:
                    results.append((begin, "reset")); return
                except Exception as problem:
                    results.append((begin, "refused %r" % problem)); return
                try:
                    c.sendall(b"x")
                    results.append((time.monotonic(), "answered" if c.recv(1) == b"x" else "ended"))
                except socket.timeout:
                    results.append((begin, "hung"))
                except OSError:
                    results.append((begin, "reset"))
            print("ready")
            begin, threads = time.monotonic(), []
            for i in range(300):
                time.sleep(max(0, begin + i * 0.005 - time.monotonic()))
                t = threading.Thread(target=one, args=(i,)); t.start(); threads.append(t)
            for t in threads: t.join()
            print(sum(w.startswith("refused") for _, w in results), sum(w == "hung" for _, w in results))
            """#

        @Test(arguments: Node.allCases)
        func `a worker that is killed is replaced, and no connect is refused meanwhile`(node: Node) throws {
            let agent = try mesh.agent(node)
            let before = try agent.child("worker")
            let client = try Dialogue(
                mesh.machine, in: web.name,
                Self.steady.replacingOccurrences(of: "HOST", with: "\"\(mesh.machine.serviceV4(10))\""))
            #expect(try client.next() == "ready")
            kill(before, SIGKILL)
            #expect(try client.next() == "0 0", "refused, hung")
            #expect(try agent.child("worker") != before)
            try eventually("the agent is ready") { try agent.isReady(captured: 2) }
            #expect(try agent.status["agent"]["worker"]["restarts"].number >= 1)
            #expect(try echo() == "x|eof")
        }

        @Test(arguments: [(Node.a, "embedded-controller"), (.b, "subscriber")])
        func `a controller or subscriber that is killed is replaced, and traffic does not notice`(
            node: Node, role: String
        ) throws {
            let agent = try mesh.agent(node)
            let before = try agent.child(role)
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            kill(before, SIGKILL)
            #expect(try echo() == "x|eof")
            try eventually("another controller runs") { try agent.child(role) != before }
            try eventually("the worker listens to it") { try agent.status["controller"]["state"].text == "OK" }
            #expect(try held.say("ping") == "pong")
            // It works: a change is applied.
            try mesh.manifests.put("policy.yaml", Manifests.allow("ns/shop/sa/batch", to: "api", in: "pay"))
            defer { mesh.manifests.remove("policy.yaml") }
            #expect(try held.say("wait") == "reset")
        }

        @Test func `an agent that ends leaves its pods closed, and another takes over`() throws {
            #expect(try mesh.agent(.b).stop() == 0)
            for pod in [web, TwoNodes.legacy] {
                #expect(["refused", "reset"].contains(try echo(from: pod)), "fails closed")
            }
            #expect(try mesh.outcome(from: api, to: mesh.address(web), PodServer.echo) == "refused")
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
            try eventually("traffic flows") { try echo() == "x|eof" }
        }

        @Test func `an agent that is killed leaves its pods closed, and another takes over`() throws {
            let agent = try mesh.agent(.b)
            let children = [try agent.child("worker"), try agent.child("subscriber")]
            kill(agent.pid, SIGKILL)
            _ = try agent.waitForExit()
            try eventually("its children end") { children.allSatisfy { kill($0, 0) != 0 } }
            #expect(["refused", "reset"].contains(try echo(from: TwoNodes.legacy)))
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
            try eventually("traffic flows") { try echo() == "x|eof" }
        }

        @Test func `an agent that is asked to withdraw leaves its pods as they were without it`() throws {
            #expect(try mesh.agent(.b).stop() == 0)
            try mesh.startAgent(.b, ["--withdraw-on-exit"])
            try mesh.waitUntilReady()
            #expect(try mesh.agent(.b).stop() == 0)
            #expect(try echo(from: TwoNodes.legacy) == "x|eof")
            #expect(try mesh.outcome(from: api, to: mesh.address(TwoNodes.legacy), PodServer.echo) == "x|eof")
            let rules = try Command.run(mesh.machine.inside(api.name, ["nft", "list", "tables"]))
            #expect(rules.status == 0 && !rules.output.contains("meshnode"))
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
            try eventually("traffic flows") { try echo() == "x|eof" }
        }

        @Test func `an agent that is asked to end lets open connections run on until the deadline`() throws {
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            let agent = try mesh.agent(.b)
            kill(agent.pid, SIGTERM)
            try eventually("it takes no new connections") { try echo(from: TwoNodes.legacy) != "x|eof" }
            #expect(try held.say("ping") == "pong")
            #expect(agent.isRunning)
            kill(agent.pid, SIGTERM)
            _ = try agent.waitForExit()
            #expect(try held.say("wait") == "reset", "a connection that is cut does not end cleanly")
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
            try eventually("traffic flows") { try echo() == "x|eof" }
        }
    }
}
