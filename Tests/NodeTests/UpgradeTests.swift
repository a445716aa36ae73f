import Foundation
import Testing

extension TwoNodes {
    /// Starts another agent on a node, with the options of the one that runs and what takes over from that.
    /// - Returns: both; who keeps the old one keeps it alive.
    func takeOver(_ node: Node, _ more: [String] = []) throws -> (old: Agent, new: Agent) {
        let old = try agent(node)
        try startAgent(node, ["--take-over"] + more)
        return (old, try agent(node))
    }

    /// The same, until the new one is in charge. The old one may still drain.
    func succeed(_ node: Node, _ more: [String] = []) throws -> (old: Agent, new: Agent) {
        let before = try agent(node).chargesTaken
        let (old, new) = try takeOver(node, more)
        try eventually("the new agent of node \(node) is in charge", within: 30) {
            guard new.isRunning else { throw CommandFailed(description: "it ended: \(new.log.suffix(2000))") }
            return new.chargesTaken > before
        }
        return (old, new)
    }
}

extension Agent {
    /// How often agents of this node said that they are in charge of what another had.
    var chargesTaken: Int { count(of: "in charge of ") }

    /// How often agents of this node logged a text.
    func count(of text: String) -> Int { log.components(separatedBy: text).count - 1 }

    /// Open descriptors of its keeper.
    var descriptorCount: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count }
    }
}

/// A hundred connections a second between two pods, as long as the object lives.
final class SteadyLoad {
    private let client: Dialogue

    /// What became of them. A reset is one of a connection that was accepted.
    struct Outcome: CustomStringConvertible {
        var answered = 0
        var refused = 0
        var hung = 0
        var reset = 0
        /// Per second, from the first to the last.
        var rate = 0.0

        var description: String {
            "\(answered) answered, \(refused) refused, \(hung) hung, \(reset) reset, \(rate.rounded()) a second"
        }
    }

    init(_ mesh: TwoNodes, from pod: TestPod, to host: String) throws {
        client = try Dialogue(
            mesh.machine, in: pod.name, Self.script.replacingOccurrences(of: "HOST", with: "\"\(host)\""),
            seconds: 300)
        guard try client.next() == "ready" else { throw CommandFailed(description: "no load") }
    }

    /// How many were answered so far.
    var answered: Int {
        get throws { Int(try client.say("count")) ?? -1 }
    }

    /// Ends it, when the last one has its answer.
    func stop() throws -> Outcome {
        let result = try JSONValue(try client.say("stop"))
        return Outcome(
            answered: result["answered"].number, refused: result["refused"].number, hung: result["hung"].number,
            reset: result["reset"].number, rate: Double(result["rate"].number))
    }

    private static let script = #"""
        results, told, ended = dict(answered=0, refused=0, hung=0, reset=0), threading.Lock(), threading.Event()

        def tell(what):
            with told:
                results[what] += 1

        def one():
            try:
                c = connect(HOST, 7000, 20)
            except ConnectionResetError:
                return tell("reset")
            except socket.timeout:
                return tell("hung")
            except OSError:
                return tell("refused")
            try:
                c.sendall(b"x")
                tell("answered" if c.recv(1) == b"x" else "reset")
                c.close()
            except socket.timeout:
                tell("hung")
            except OSError:
                tell("reset")

        def all():
            begin, threads = time.monotonic(), []
            while not ended.is_set():
                time.sleep(max(0, begin + len(threads) * 0.009 - time.monotonic()))
                threads.append(threading.Thread(target=one, daemon=True))
                threads[-1].start()
            results["rate"] = int(len(threads) / (time.monotonic() - begin))
            for t in threads: t.join()

        main = threading.Thread(target=all, daemon=True)
        main.start()
        print("ready")
        for order in sys.stdin:
            if order.strip() == "count":
                print(results["answered"])
            else:
                ended.set()
                main.join()
                print(json.dumps(results))
        """#
}

extension OnTwoNodes {
    @Suite struct `An agent that another succeeds` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        /// Connections in both directions between the nodes.
        private func loads() throws -> [SteadyLoad] {
            [
                try SteadyLoad(mesh, from: web, to: mesh.machine.serviceV4(10)),
                try SteadyLoad(mesh, from: api, to: mesh.address(web)),
            ]
        }

        private func end(_ loads: [SteadyLoad], _ what: String) throws {
            for (load, direction) in zip(loads, ["a to b", "b to a"]) {
                let outcome = try load.stop()
                print("\(what), \(direction): \(outcome)")
                #expect(outcome.refused == 0)
                #expect(outcome.hung == 0)
                #expect(outcome.reset == 0)
                #expect(outcome.answered > 0)
                #expect(outcome.rate >= 90)
            }
        }

        /// How many agents' cgroups the rules of a pod exempt.
        private func exempted(_ pod: TestPod) throws -> Int {
            let command = mesh.machine.inside(
                pod.name, ["nft", "-j", "list", "set", "inet", "meshnode", "exempt_agents"])
            let result = try Command.run(command)
            guard result.status == 0 else { throw CommandFailed(description: result.errors) }
            let sets = try JSONValue(result.output)["nftables"].items.map { $0["set"]["elem"].items.count }
            return sets.reduce(0, +)
        }

        /// Who of `pids` listens in a network namespace, as far as it is one of our ports.
        private func listening(_ pids: [Int32], in name: String) throws -> [Int32] {
            let sockets = try Command.shell("nsenter --net=\(mesh.machine.path(name)) ss -Htlnp")
            return pids.filter { sockets.contains("pid=\($0),") }
        }

        @Test(arguments: [(Node.b, 20), (.a, 5)])
        func `hands over under load again and again, and no connection is refused or hangs`(
            node: Node, count: Int
        ) throws {
            let loads = try loads()
            var descriptors: [Int] = []
            let start = ContinuousClock.now
            for number in 1...count {
                let before = try loads.map { try $0.answered }
                let (old, new) = try mesh.succeed(node)
                #expect(try old.waitForExit(within: 30) == 0)
                try eventually("connections are answered after hand-over \(number)", within: 30) {
                    try zip(loads, before).allSatisfy { try $0.answered > $1 + 50 }
                }
                descriptors.append(try new.descriptorCount)
            }
            print("\(count) hand-overs of node \(node) took \(ContinuousClock.now - start)")
            try end(loads, "\(count) hand-overs of node \(node)")
            try mesh.waitUntilReady()
            print("descriptors of the keepers: \(descriptors)")
            let (first, last) = (try #require(descriptors.first), try #require(descriptors.last))
            #expect(last <= first + 8)
            let pod = node == .a ? web : api
            try eventually("only the last agent is exempt") { try exempted(pod) == 1 }
        }

        @Test(arguments: Node.allCases)
        func `lets what is open run on until its deadline, and probes and commands reach the new one only`(
            node: Node
        ) throws {
            let (pod, socket) = (node == .a ? web : api, try mesh.agent(node).socket)
            #expect(try mesh.succeed(node, ["--drain-deadline", "8s"]).old.waitForExit(within: 30) == 0)
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            let worker = try mesh.agent(node).child("worker")
            let (old, new) = try mesh.succeed(node)
            #expect(try held.say("ping") == "pong")
            try eventually("the old worker listens nowhere") {
                try listening([worker], in: pod.name).isEmpty && listening([worker], in: node.rawValue).isEmpty
            }
            #expect(try listening([try new.child("worker")], in: pod.name).count == 1)
            let listeners = try Command.shell(
                "nsenter --net=\(mesh.machine.path(node.rawValue)) ss -Hxlnp | grep -F '\(socket) '")
            #expect(!listeners.contains("pid=\(worker),"))
            #expect(listeners.contains("pid=\(try new.child("worker")),"))
            let status = try mesh.python(
                node.rawValue,
                #"""
                for i in range(10):
                    c = connect("127.0.0.1", 15021)
                    c.sendall(b"GET /healthz/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                    print(read_all(c)[0].decode().split()[1])
                """#)
            #expect(Set(status.split(separator: "\n")) == ["200"])
            #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo) == "x|eof")
            #expect(old.isRunning)
            #expect(try held.say("ping") == "pong")
            var end = "timeout"
            for _ in 0..<5 where end == "timeout" { end = try held.say("wait") }
            #expect(end == "reset", "cut at the deadline, it does not end cleanly")
            #expect(try old.waitForExit(within: 30) == 0)
            try eventually("only the new agent is exempt") { try exempted(pod) == 1 }
            try mesh.waitUntilReady()
        }

        @Test func `goes on if the other dies before it serves`() throws {
            let loads = try loads()
            let agent = try mesh.agent(.b)
            let worker = try agent.child("worker")
            for round in 1...3 {
                let told = agent.count(of: "telling the other agent everything")
                let resumed = agent.count(of: "did not take over: going on")
                let (old, new) = try mesh.takeOver(.b)
                mesh.keep(old, on: .b)
                try eventually("the other is told everything") {
                    agent.count(of: "telling the other agent everything") > told
                }
                kill(new.pid, SIGKILL)
                _ = try new.waitForExit()
                try eventually("the agent goes on, round \(round)") {
                    agent.count(of: "did not take over: going on") > resumed
                }
            }
            try end(loads, "three successors that died")
            #expect(agent.isRunning)
            #expect(try agent.child("worker") == worker)
            try eventually("only this agent is exempt") { try exempted(api) == 1 }
            // The subscriber that the dead had started took the connection to the controller.
            try eventually("the controller is heard of again", within: 30) {
                try agent.status["controller"]["state"].text == "OK"
            }
            try mesh.waitUntilReady()
        }

        @Test func `and the one that succeeds it, drain when told to end`() throws {
            let (old, new) = try mesh.succeed(.b)
            #expect(try old.waitForExit(within: 30) == 0)
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            kill(new.pid, SIGTERM)
            try eventually("it takes no new connections") {
                try mesh.outcome(from: TwoNodes.legacy, to: mesh.address(api), PodServer.echo) != "x|eof"
            }
            #expect(try held.say("ping") == "pong")
            #expect(new.isRunning)
            kill(new.pid, SIGTERM)
            #expect(try new.waitForExit() == 0)
            #expect(try held.say("wait") == "reset")
            try mesh.startAgent(.b)
            try mesh.waitUntilReady()
        }
    }
}
