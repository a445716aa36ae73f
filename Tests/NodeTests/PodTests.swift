import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Pods that come and go` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func echo(from pod: TestPod, to other: TestPod) throws -> String {
            try mesh.outcome(from: pod, to: mesh.address(other), PodServer.echo)
        }

        @Test func `an enrolled pod that loses its label keeps its connections, and new ones go as they are`() throws {
            defer { try? mesh.manifests.put("cache.yaml", mesh.manifests.pod(TwoNodes.cache)) }
            let cache = TwoNodes.cache
            let out = try Dialogue.holding(mesh.machine, in: cache.name, to: mesh.address(web), PodServer.echo)
            let into = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(cache), PodServer.echo)
            let plain = try Dialogue.holding(mesh.machine, in: "legacy", to: mesh.address(cache), PodServer.echo)
            try mesh.manifests.put(
                "cache.yaml", mesh.manifests.pod(cache, labels: ["meshnode.dev/mesh": "disabled"]))
            let agent = try mesh.agent(.b)
            try eventually("new connections are not captured") {
                try agent.report("workloads")["items"].items
                    .first { $0["name"].text == "cache" }?["protocol"].text == "TCP"
            }
            try eventually("the pod is reached as it is") { try echo(from: web, to: cache) == "x|eof" }
            for held in [out, into, plain] { #expect(try held.say("ping") == "pong") }
            #expect(try echo(from: cache, to: web) == "x|eof")

            try mesh.manifests.put("cache.yaml", mesh.manifests.pod(cache))
            try eventually("it is captured again") { try agent.isReady(captured: 2) }
            #expect(try echo(from: web, to: cache) == "x|eof")
        }

        @Test func `a pod whose namespace is gone is pending with a reason, and others work; made again, it is back`()
            throws
        {
            let cache = TwoNodes.cache
            let agent = try mesh.agent(.b)
            mesh.stopServer(in: cache.name)
            try mesh.machine.remove(cache)
            let pending = try eventually("the pod is pending") {
                try agent.status["pods"]["pending"].items.first { $0["pod"].text == "pay/cache" }
            }
            #expect(!pending["reason"].text.isEmpty)
            #expect(agent.isRunning)
            #expect(
                try agent.status["problems"].items.contains {
                    $0["code"].text == "MN3001" && $0["object"].text == "pay/cache"
                })
            #expect(try echo(from: web, to: api) == "x|eof")
            // A tunnel to it may still stand: its PING finds out.
            let end = try mesh.python(web.name, #"print(outcome("\#(mesh.address(cache))", 7000, b"x", 20))"#)
            #expect(end == "reset", "not there, and not in plaintext either")

            // The same pod, name and UID, in a new namespace.
            try mesh.machine.make(cache)
            try mesh.startServer(in: cache.name)
            try eventually("it is captured again") { try agent.isReady(captured: 2) }
            #expect(try echo(from: web, to: cache) == "x|eof")
            #expect(try echo(from: cache, to: web) == "x|eof")
        }

        @Test func `a pod with a new UID under the old name and address is another one`() throws {
            let cache = TwoNodes.cache
            let agent = try mesh.agent(.b)
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(cache), PodServer.echo)
            mesh.stopServer(in: cache.name)
            try mesh.machine.remove(cache)
            try mesh.machine.make(cache, as: "cache2")
            defer {
                mesh.stopServer(in: "cache2")
                try? mesh.machine.remove(cache, as: "cache2")
                try? mesh.machine.make(cache)
                try? mesh.startServer(in: cache.name)
                try? mesh.manifests.put("cache.yaml", mesh.manifests.pod(cache))
                try? eventually("the first is back") { try agent.isReady(captured: 2) }
            }
            try mesh.startServer(in: "cache2")
            let renamed = mesh.manifests.pod(cache, uid: "another")
                .replacingOccurrences(of: "serviceAccountName: cache", with: "serviceAccountName: other")
            try mesh.manifests.put("cache.yaml", renamed)
            try eventually("the new pod is reached under its own identity") {
                let line = try mesh.agent(.a).report("workloads")["items"].items.first { $0["name"].text == "cache" }
                return try line?["identity"].text == "spiffe://cluster.local/ns/pay/sa/other"
                    && echo(from: web, to: cache) == "x|eof"
            }
            #expect(try held.say("ping") != "pong")
            #expect(try agent.isReady(captured: 2))
        }

        @Test func `a server with another identity's certificate gets no byte of a client`() throws {
            // A pod whose agent is not ours: Python plays it.
            let impostor = TestPod(name: "impostor", node: .b, number: 77, namespace: "pay")
            try mesh.machine.make(impostor)
            defer {
                mesh.manifests.remove("impostor.yaml")
                try? mesh.machine.remove(impostor)
            }
            try mesh.manifests.put(
                "impostor.yaml",
                mesh.manifests.pod(impostor).replacingOccurrences(
                    of: "nodeName: node-b", with: "nodeName: node-elsewhere"))
            let agent = try mesh.agent(.a)
            try eventually("the pod is known") {
                try agent.report("workloads")["items"].items.contains { $0["name"].text == "impostor" }
            }
            let rightful = "spiffe://cluster.local/ns/pay/sa/impostor"
            let cases: [(String, (inout MeshCertificates.Content) -> Void)] = [
                ("SAN_MISMATCH", { $0.uris = ["spiffe://cluster.local/ns/pay/sa/api"] }),
                (
                    "TRUST_DOMAIN_MISMATCH",
                    {
                        $0.uris = [rightful]
                        $0.isForeign = true
                    }
                ),
                (
                    "CERT_EXPIRED",
                    {
                        $0.uris = [rightful]
                        $0.validity = ("20200101000000Z", "20200102000000Z")
                    }
                ),
            ]
            for (reason, change) in cases {
                let files = try mesh.certificates.make(change)
                let server = try Dialogue(
                    mesh.machine, in: impostor.name,
                    #"""
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain("\#(files.chain)", "\#(files.key)")
                    context.set_alpn_protocols(["h2"])
                    s = socket.create_server(("\#(mesh.address(impostor))", 15008))
                    s.settimeout(10)
                    print("listening")
                    c, peer = s.accept()
                    c.settimeout(10)
                    try:
                        c = context.wrap_socket(c, server_side=True)
                        print("got %d" % len(read_all(c)[0]))
                    except OSError as problem:
                        print("got 0")
                    """#)
                #expect(try server.next() == "listening")
                try mesh.refusal(on: .a, reason) {
                    $0["reason"].text == reason
                } after: { () throws in
                    #expect(try mesh.outcome(from: web, to: mesh.address(impostor), 80, "secret") == "reset")
                }
                #expect(try server.next() == "got 0")
            }
        }
    }
}
