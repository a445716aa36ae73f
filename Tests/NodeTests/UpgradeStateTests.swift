import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `What a worker leaves to the next` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let cache = TwoNodes.cache

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func echo(from pod: TestPod) throws -> String {
            try mesh.outcome(from: pod, to: mesh.address(api), PodServer.echo)
        }

        @Test func `is enough to serve while controller and CA are down, and plaintext stays refused`() throws {
            try mesh.manifests.put("policy.yaml", Manifests.strict)
            defer { mesh.manifests.remove("policy.yaml") }
            try eventually("plaintext is refused") { try echo(from: TwoNodes.legacy) == "reset" }
            // What is in force is left to the next worker within a second or two.
            let agent = try mesh.agent(.b)
            try eventually("the state is kept") { try state(of: agent).contains { $0 == "sealed" } }
            #expect(try mesh.agent(.a).stop() == 0)
            defer {
                try? mesh.startAgent(.a)
                try? mesh.waitUntilReady()
            }
            try eventually("node b has no controller") { try agent.status["controller"]["state"].text != "OK" }
            for round in 1...2 {
                let worker = try agent.child("worker")
                kill(worker, SIGKILL)
                try eventually("another worker runs, round \(round)") { try agent.child("worker") != worker }
                try eventually("pods are served from memory, round \(round)") { try echo(from: cache) == "x|eof" }
                #expect(try echo(from: TwoNodes.legacy) == "reset", "plaintext")
            }
            #expect(agent.log.contains("going on with the state of"))
            try eventually("it is ready") { try agent.status["agent"]["isReady"].bool }
            let line = try eventually("the connection was between identities") {
                agent.accessLog.last { $0.contains(#"src.workload="cache""#) && $0.contains("src.identity=") }
            }
            #expect(line.contains(#"src.identity="spiffe://cluster.local/ns/pay/sa/cache""#))
        }

        @Test func `is in sealed memory and on no disk`() throws {
            let agent = try mesh.agent(.b)
            try eventually("the state is kept") { try state(of: agent).contains { $0 == "sealed" } }
            #expect(try state(of: agent).allSatisfy { $0 == "sealed" })
            // The node's own key, which is no workload's, is the only one.
            let files = try Command.shell(
                "find \(agent.runDirectory) \(mesh.directory)/state-b -type f -size +0 -printf '%f\\n' | sort")
            print("files: \(files.split(separator: "\n"))")
            let keys = try Command.shell(
                "grep -rlE 'PRIVATE KEY' \(agent.runDirectory) \(mesh.directory)/state-b || true")
            print("with keys: \(keys)")
            #expect(keys.split(separator: "\n").count <= 1)
            #expect(!keys.contains(agent.runDirectory))
        }

        @Test func `serves the next one when it hangs, and is ended`() throws {
            let agent = try mesh.agent(.b)
            let worker = try agent.child("worker")
            kill(worker, SIGSTOP)
            try eventually("another worker runs", within: 40) { try agent.child("worker") != worker }
            try eventually("it serves") { try echo(from: cache) == "x|eof" && echo(from: TwoNodes.web) == "x|eof" }
            #expect(agent.log.contains("the worker gives no sign of life (process \(worker)): it is ended"))
            #expect(kill(worker, 0) != 0)
            try mesh.waitUntilReady()
        }

        /// The memory files of an agent's keeper: each `sealed`, or what is not.
        private func state(of agent: Agent) throws -> [String] {
            let result = try Command.run(
                [
                    Command.python, "-c",
                    #"""
                    import fcntl, os, sys
                    for name in os.listdir("/proc/%s/fd" % sys.argv[1]):
                        path = "/proc/%s/fd/%s" % (sys.argv[1], name)
                        if os.readlink(path).startswith("/memfd:"):
                            seals = fcntl.fcntl(os.open(path, os.O_RDONLY), 1034)
                            print("sealed" if seals & 15 == 15 else "seals %d" % seals)
                    """#, "\(agent.pid)",
                ])
            guard result.status == 0 else { throw CommandFailed(description: result.errors) }
            return result.output.split(separator: "\n").map(String.init)
        }
    }

    @Suite struct `Pods that leave the mesh` {
        let mesh: TwoNodes
        private let cache = TwoNodes.cache

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        @Test func `are written down, with who asked for it`() throws {
            let agent = try mesh.agent(.b)
            defer {
                try? mesh.manifests.put("cache.yaml", mesh.manifests.pod(cache))
                try? mesh.waitUntilReady()
            }
            try mesh.manifests.put("cache.yaml", mesh.manifests.pod(cache, labels: ["meshnode.dev/mesh": "disabled"]))
            try eventually("the line that says so") {
                agent.log.contains("audit: pod pay/cache is un-enrolled, asked by the controller")
            }
            try mesh.manifests.put("cache.yaml", mesh.manifests.pod(cache))
            try mesh.waitUntilReady()
            mesh.stopServer(in: cache.name)
            try mesh.machine.remove(cache)
            try eventually("the line that says so") {
                agent.log.contains("audit: pod pay/cache is un-enrolled, asked by the end of its network namespace")
            }
            try mesh.machine.make(cache)
            try mesh.startServer(in: cache.name)
        }

        /// More than may leave at once, each in a namespace of its own that has nothing but an address.
        @Test func `many at once leave slowly, and it is said`() throws {
            let agent = try mesh.agent(.b)
            let pods = (0..<58).map { TestPod(name: "many\($0)", node: .b, number: 100 + $0, namespace: "many") }
            let names = pods.map { mesh.machine.netns($0.name) }
            defer {
                for file in ["many.yaml", "many-namespace.yaml"] { mesh.manifests.remove(file) }
                _ = try? Command.shell("for n in \(names.joined(separator: " ")); do ip netns del $n; done")
            }
            let making = zip(pods, names).map { pod, name in
                "ip netns add \(name); ip -n \(name) addr add \(mesh.machine.v4(pod))/32 dev lo; ip -n \(name) link set lo up"
            }
            try Command.shell(making.joined(separator: "\n"))
            let manifests = pods.map { pod in
                mesh.manifests.pod(pod, addresses: [mesh.machine.v4(pod)])
                    .replacingOccurrences(of: "serviceAccountName: \(pod.name)", with: "serviceAccountName: many")
            }
            try mesh.manifests.put("many-namespace.yaml", Manifests.namespace("many"))
            try mesh.manifests.put("many.yaml", manifests.joined(separator: "---\n"))
            try eventually("all are captured", within: 60) { try agent.isReady(captured: 60) }
            func audits() -> Int { agent.log.components(separatedBy: "audit: pod many/many").count - 1 }
            #expect(audits() == 0)
            try mesh.manifests.put("many-namespace.yaml", Manifests.namespace("many", isEnrolled: false))
            try eventually("it is said that some wait", within: 20) {
                agent.log.contains("asked by the controller, waits: 0 before it, ten a second")
            }
            try eventually("all have left", within: 30) { audits() == 58 }
            try eventually("and their rules", within: 30) { try agent.isReady(captured: 2) }
        }
    }
}
