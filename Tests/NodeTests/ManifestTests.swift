import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `A bad manifest` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web
        private let batch = TwoNodes.batch

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        /// Waits until both agents tell of a problem in `file`, and gives node b's.
        private func problem(in file: String, _ what: String = "") throws -> JSONValue {
            try Node.allCases.map { node in
                let agent = try mesh.agent(node)
                return try eventually("node \(node) tells of \(file)", within: 5) {
                    try agent.status["manifestProblems"].items.first {
                        $0["file"].text.hasSuffix(file)
                            && (what.isEmpty || "\($0["reason"].text) \($0["field"].text)".contains(what))
                    }
                }
            }[1]
        }

        private func waitUntilHealthy() throws {
            for node in Node.allCases {
                let agent = try mesh.agent(node)
                try eventually("node \(node) is well again", within: 5) {
                    try agent.status["verdict"].text == "OK" && agent.status["manifestProblems"].items.isEmpty
                }
            }
        }

        @Test func `that is no YAML is named with file and line, and what it said before stays in force`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            let good = Manifests.allow("ns/shop/sa/web", to: "api", in: "pay")
            try mesh.manifests.put("policy.yaml", good)
            try eventually("shop/batch is refused") {
                try mesh.outcome(from: batch, to: mesh.address(api), PodServer.echo) == "reset"
            }
            try mesh.manifests.put("policy.yaml", "# one\n" + good + "broken: [\n")
            let problem = try problem(in: "policy.yaml")
            #expect(problem["line"].number >= 16)
            #expect(problem["severity"].text == "error")
            #expect(!problem["reason"].text.isEmpty)
            #expect(try mesh.outcome(from: batch, to: mesh.address(api), PodServer.echo) == "reset")
            #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo) == "x|eof")
            let agent = try mesh.agent(.b)
            #expect(try agent.status["verdict"].text == "DEGRADED")
            let shown = try Command.run([agent.binary, "status", "--socket", agent.socket])
            #expect(shown.status == 2)
            #expect(shown.output.contains("policy.yaml:\(problem["line"].number)"))
            #expect(try mesh.agent(.a).log.contains("policy.yaml:\(problem["line"].number)"))
            mesh.manifests.remove("policy.yaml")
            try waitUntilHealthy()
        }

        @Test func `with a field of the wrong form is named with file, line and field; others are read`() throws {
            defer { mesh.manifests.remove("several.yaml") }
            let good = Manifests.allow("ns/shop/sa/web", to: "api", in: "pay")
            let bad = good.replacingOccurrences(of: "api-callers", with: "other")
                .replacingOccurrences(of: "action: ALLOW", with: "action: PERHAPS")
            try mesh.manifests.put("several.yaml", bad + "---\n" + good)
            let problem = try problem(in: "several.yaml")
            #expect(problem["line"].number == 10)
            #expect(problem["field"].text == "spec.action")
            #expect(problem["object"].text.contains("pay/other"))
            try eventually("the good object of the file is in force") {
                try mesh.outcome(from: batch, to: mesh.address(api), PodServer.echo) == "reset"
            }
            mesh.manifests.remove("several.yaml")
            try waitUntilHealthy()
        }

        @Test func `with anchors and aliases is refused`() throws {
            defer { mesh.manifests.remove("alias.yaml") }
            try mesh.manifests.put(
                "alias.yaml",
                """
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: &name aliased
                  labels:
                    a: *name

                """)
            let problem = try problem(in: "alias.yaml")
            #expect(problem["severity"].text == "error")
            #expect(problem["reason"].text.lowercased().contains("alias"))
            #expect((4...6).contains(problem["line"].number))
            mesh.manifests.remove("alias.yaml")
            try waitUntilHealthy()
        }

        @Test func `with an unknown field is warned of, and in force`() throws {
            defer { mesh.manifests.remove("service.yaml") }
            let service = mesh.manifests.service("api", in: "shop", number: 40)
                .replacingOccurrences(of: "  clusterIP:", with: "  clusterIPP: mistyped\n  clusterIP:")
                .replacingOccurrences(of: "namespace: shop", with: "namespace: pay")
                .replacingOccurrences(of: "  name: api", with: "  name: other")
            try mesh.manifests.put("service.yaml", service)
            let problem = try problem(in: "service.yaml", "clusterIPP")
            #expect(problem["severity"].text == "warning")
            #expect(problem["code"].text == "MN1003")
            #expect(problem["line"].number == 9)
            try eventually("the service is known") {
                try mesh.outcome(from: web, to: mesh.machine.serviceV4(40), PodServer.echo) == "x|eof"
            }
            let agent = try mesh.agent(.b)
            #expect(try agent.status["verdict"].text == "OK", "a warning does not degrade the mesh")
            let strict = try Command.run([
                agent.binary, "status", "--local", "--socket", agent.socket, "--fail-on", "warning",
            ])
            #expect(strict.status == 3)
            mesh.manifests.remove("service.yaml")
            try waitUntilHealthy()
        }

        @Test func `that gives a pod another pod's address is named, and the older pod keeps it`() throws {
            defer { mesh.manifests.remove("thief.yaml") }
            let thief = TestPod(name: "thief", node: .a, number: 99, namespace: "shop")
            try mesh.manifests.put(
                "thief.yaml",
                mesh.manifests.pod(thief, addresses: [mesh.address(api), mesh.address(api, v6: true)]))
            let problem = try problem(in: "thief.yaml", mesh.address(api))
            #expect(problem["object"].text.contains("shop/thief"))
            #expect(problem["reason"].text.contains("pay/api"))
            #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo) == "x|eof")
            mesh.manifests.remove("thief.yaml")
            try waitUntilHealthy()
        }
    }
}
