import Foundation
import Testing

extension OnTwoNodes {
    @Suite(
        .enabled(
            if: PluginChain.isPossible,
            "skipped: needs the plugins of containernetworking-plugins, and meshnode-cni beside meshnode"))
    struct `Pods that a container runtime starts` {
        let mesh: TwoNodes
        private let chain: PluginChain
        private let api = TwoNodes.api

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
            chain = try PluginChain(mesh)
        }

        /// A pod of node a, as the cluster has it before it runs: without a status.
        private func manifest(
            _ name: String, in namespace: String = "shop", account: String? = nil, labels: [String: String] = [:],
            address: String? = nil
        ) -> String {
            let pod = TestPod(name: name, node: .a, number: 0, namespace: namespace)
            let text = mesh.manifests.pod(pod, labels: labels, addresses: [address ?? "0.0.0.0"])
                .replacingOccurrences(
                    of: "serviceAccountName: \(name)", with: "serviceAccountName: \(account ?? name)")
            guard address == nil, let status = text.range(of: "status:\n") else { return text }
            return String(text[..<status.lowerBound])
        }

        /// Puts a pod's manifest, and waits until the controller has it: a directory is read after a moment.
        private func put(_ name: String, _ text: String) throws {
            try mesh.manifests.put("cni-\(name).yaml", text)
        }

        private func uid(_ name: String) -> String { mesh.machine.prefix + name }

        private func add(_ name: String, in namespace: String = "shop") throws -> PluginChain.Answer {
            try chain.makeNamespace(name)
            return try chain.call("add", name, pod: "\(namespace)/\(name)", uid: uid(name))
        }

        /// Ends a pod as a runtime does.
        private func end(_ name: String, in namespace: String = "shop") {
            _ = try? chain.call("del", name, pod: "\(namespace)/\(name)", uid: uid(name))
            try? chain.removeNamespace(name)
            mesh.manifests.remove("cni-\(name).yaml")
        }

        private func rules(_ name: String) throws -> String {
            try Command.shell("nsenter --net=\(mesh.machine.path(name)) nft list ruleset")
        }

        private func echo(_ name: String) throws -> String {
            try mesh.python(name, #"print(outcome("\#(mesh.address(api))", 7000, b"x"))"#)
        }

        private func isWrittenDown(_ name: String) throws -> Bool {
            let line = "audit: pod shop/\(name) is un-enrolled, asked by the container runtime"
            return try mesh.agent(.a).log.contains(line)
        }

        /// As which workload node b saw the last connection from `address`.
        private func identity(of address: String) throws -> String {
            let agent = try mesh.agent(.b)
            let line = try eventually("node b writes of a connection from \(address)") {
                agent.accessLog.last { $0.contains("src.addr=\(address):") && $0.contains("src.identity=") }
            }
            return line.components(separatedBy: #"src.identity=""#).dropFirst().first?
                .components(separatedBy: "\"").first ?? ""
        }

        @Test func `are captured before they run, and their first connection goes through the mesh`() throws {
            defer { end("fresh") }
            try put("fresh", manifest("fresh"))
            let answer = try add("fresh")
            #expect(answer.status == 0, "\(answer)")
            #expect(try rules("fresh").contains("meshnode"))
            // It runs before the cluster knows its address.
            let first = try Dialogue(
                mesh.machine, in: "fresh",
                #"""
                print("running")
                print(outcome("\#(mesh.address(api))", 7000, b"x"))
                """#)
            #expect(try first.next() == "running")
            try put("fresh", manifest("fresh", address: answer.address))
            #expect(try first.next() == "x|eof")
            try eventually("the pod is known as itself") {
                try identity(of: answer.address) == "spiffe://cluster.local/ns/shop/sa/fresh"
            }
            #expect(try chain.call("check", "fresh", pod: "shop/fresh", uid: uid("fresh")).status == 0)
            try eventually("node a shows it") { try mesh.agent(.a).isReady(captured: 3) }
        }

        @Test func `are left alone when they opted out, or their namespace is not in the mesh`() throws {
            defer {
                end("aside")
                end("stranger", in: "outside")
                end("system", in: "kube-system")
            }
            try put("aside", manifest("aside", labels: ["meshnode.dev/mesh": "disabled"]))
            try put("stranger", manifest("stranger", in: "outside"))
            try eventually("the controller knows them") {
                try mesh.agent(.a).report("workloads")["items"].items.contains { $0["name"].text == "legacy" }
            }
            for (name, namespace) in [("aside", "shop"), ("stranger", "outside"), ("system", "kube-system")] {
                let answer = try add(name, in: namespace)
                #expect(answer.status == 0, "\(answer)")
                #expect(try !rules(name).contains("meshnode"))
                #expect(try echo(name) == "x|eof")
            }
        }

        @Test func `do not start when they cannot be captured`() throws {
            defer { end("taken") }
            try put("taken", manifest("taken"))
            try chain.makeNamespace("taken")
            let squatter = try Dialogue(
                mesh.machine, in: "taken",
                #"""
                s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
                s.bind(("::", 15001))
                s.listen()
                print("taken")
                sys.stdin.read()
                """#)
            #expect(try squatter.next() == "taken")
            let answer = try chain.call("add", "taken", pod: "shop/taken", uid: uid("taken"))
            #expect(answer.status == 1)
            #expect(answer.code == 100)
            #expect(answer.message.contains("shop/taken") && answer.message.contains("15001"), "\(answer)")
            #expect(try !rules("taken").contains("meshnode"))
        }

        @Test func `do not start when nobody knows whether they are in the mesh`() throws {
            defer { end("lost", in: "nowhere") }
            let answer = try add("lost", in: "nowhere")
            #expect(answer.status == 1)
            #expect(answer.code == 11)
            #expect(answer.message.contains("neither pod nowhere/lost nor its namespace is known"), "\(answer)")
        }

        @Test func `are found to be changed by CHECK, once`() throws {
            defer { end("changed") }
            try put("changed", manifest("changed"))
            #expect(try add("changed").status == 0)
            func check() throws -> PluginChain.Answer {
                try chain.call("check", "changed", pod: "shop/changed", uid: uid("changed"))
            }
            // The keeper looks by itself once a second, and may have been faster.
            var refusal: PluginChain.Answer?
            for _ in 0..<5 where refusal == nil {
                #expect(try check().status == 0)
                try Command.shell("nsenter --net=\(mesh.machine.path("changed")) nft flush ruleset")
                let answer = try check()
                if answer.status != 0 { refusal = answer }
            }
            let found = try #require(refusal)
            #expect(found.code == 101)
            #expect(found.message.contains("its rules were changed by another"), "\(found)")
            #expect(try check().status == 0)
            #expect(try rules("changed").contains("meshnode"))
        }

        @Test func `leave an address behind that another takes with an identity of its own`() throws {
            defer {
                end("first")
                end("second")
            }
            try put("first", manifest("first"))
            try chain.forgetLastAddress()
            let first = try add("first")
            #expect(first.status == 0, "\(first)")
            try put("first", manifest("first", address: first.address))
            try eventually("the first is served") { try echo("first") == "x|eof" }
            // An earlier pod may have had the address, and the log is written soon, not at once.
            try eventually("the first is known as itself") {
                try identity(of: first.address) == "spiffe://cluster.local/ns/shop/sa/first"
            }
            #expect(try chain.call("del", "first", pod: "shop/first", uid: uid("first")).status == 0)
            #expect(try isWrittenDown("first"))
            try chain.removeNamespace("first")

            try chain.forgetLastAddress()
            try put("second", manifest("second"))
            let second = try add("second")
            #expect(second.status == 0, "\(second)")
            #expect(second.address == first.address)
            try put("second", manifest("second", address: second.address))
            mesh.manifests.remove("cni-first.yaml")
            try eventually("the second is served as itself") {
                try echo("second") == "x|eof"
                    && identity(of: second.address) == "spiffe://cluster.local/ns/shop/sa/second"
            }
            #expect(try mesh.outcome(from: api, to: mesh.address(TwoNodes.web), PodServer.echo) == "x|eof")
        }

        @Test func `start when an agent runs, and without one only those that are never enrolled`() throws {
            defer {
                end("early")
                end("system", in: "kube-system")
            }
            try put("early", manifest("early"))
            #expect(try mesh.agent(.a).stop() == 0)
            let early = try add("early")
            #expect(early.code == 11)
            #expect(early.message.contains("the meshnode agent does not answer"), "\(early)")
            #expect(try add("system", in: "kube-system").status == 0)
            try mesh.startAgent(.a)
            try mesh.waitUntilReady()
            let later = try chain.call("add", "early", pod: "shop/early", uid: uid("early"))
            #expect(later.status == 0, "\(later)")
            #expect(try rules("early").contains("meshnode"))
        }

        @Test func `are let go by a garbage collection of those that are gone`() throws {
            defer { end("gone") }
            try put("gone", manifest("gone"))
            #expect(try add("gone").status == 0)
            // GC came with version 1.1.0, which Debian's plugins do not speak: only ours is called.
            let answer = try chain.collectGarbage(keeping: [])
            #expect(answer.status == 0, "\(answer)")
            #expect(try isWrittenDown("gone"))
            #expect(try chain.status().status == 0)
        }
    }

    @Suite(.enabled(if: KubeletCgroup.isPossible, "skipped: needs cgroup v2, to be written"))
    struct `Pods that run before the agent knows them` {
        let mesh: TwoNodes

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        @Test func `are found by the cgroup that the kubelet made for them, wherever their namespace is`() throws {
            let pod = TestPod(name: "hidden", node: .a, number: 60, namespace: "shop")
            let cgroup = try KubeletCgroup(mesh.machine.prefix, podUID: mesh.machine.prefix + pod.name)
            try mesh.machine.make(pod)
            let process = try Dialogue(
                mesh.machine, in: pod.name,
                #"""
                open("\#(cgroup.path)/cgroup.procs", "w").write(str(os.getpid()))
                print(os.getpid())
                for order in sys.stdin:
                    print(outcome("\#(mesh.address(TwoNodes.api))", 7000, b"x"))
                """#)
            let pid = try process.next()
            // From here on nothing but the process refers to the namespace. Another one has the same address, and a name.
            try Command.shell(
                """
                ip netns del \(mesh.machine.netns(pod.name))
                ip netns add \(mesh.machine.netns("decoy"))
                ip -n \(mesh.machine.netns("decoy")) addr add \(mesh.machine.v4(pod))/32 dev lo
                """)
            let agent = try mesh.agent(.a)
            defer {
                mesh.manifests.remove("hidden.yaml")
                _ = try? Command.shell("ip netns del \(mesh.machine.netns("decoy"))")
                _ = try? Command.shell("ip -n \(mesh.machine.netns("a")) link del to-\(pod.name)")
            }
            try mesh.manifests.put("hidden.yaml", mesh.manifests.pod(pod))
            try eventually("it is captured") { try agent.isReady(captured: 3) }
            #expect(agent.log.contains("pod shop/hidden is captured (/proc/\(pid)/ns/net"))
            #expect(try process.say("connect") == "x|eof")
            #expect(try Command.shell("nsenter --net=/proc/\(pid)/ns/net nft list ruleset").contains("meshnode"))
            let decoy = try Command.shell("nsenter --net=\(mesh.machine.path("decoy")) nft list ruleset")
            #expect(!decoy.contains("meshnode"))
        }
    }
}

/// A cgroup as the kubelet names it.
final class KubeletCgroup {
    let path: String
    private let root: String

    /// Where cgroup v2 is, alone or beside v1.
    private static let hierarchy =
        ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .first { FileManager.default.isReadableFile(atPath: $0 + "/cgroup.controllers") } ?? ""

    static let isPossible = FileManager.default.isWritableFile(atPath: hierarchy + "/cgroup.procs")

    init(_ prefix: String, podUID: String) throws {
        root = "\(Self.hierarchy)/\(prefix)kubepods"
        path = "\(root)/besteffort/pod\(podUID)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Its processes have ended, and may not be reaped yet.
    deinit {
        _ = try? eventually("the cgroup is empty", within: 5) {
            _ = try Command.shell("find \(root) -depth -type d -exec rmdir {} +")
            return true
        }
    }
}
