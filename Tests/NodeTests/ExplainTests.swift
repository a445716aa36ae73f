import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Explanations and edges` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web
        private let batch = TwoNodes.batch
        private let legacy = TwoNodes.legacy

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func explain(_ arguments: String..., on node: Node = .a) throws -> (status: Int32, report: JSONValue) {
            let agent = try mesh.agent(node)
            let result = try Command.run(
                [agent.binary, "explain"] + arguments + ["-o", "json", "--socket", agent.socket], seconds: 5)
            guard result.status == 0 || result.status == 2 else {
                throw CommandFailed(description: "\(result.status): \(result.errors)")
            }
            return (result.status, try JSONValue(result.output))
        }

        /// What it says where it cannot answer.
        private func complaint(_ arguments: String...) throws -> CommandResult {
            let agent = try mesh.agent(.a)
            return try Command.run([agent.binary, "explain"] + arguments + ["--socket", agent.socket], seconds: 5)
        }

        private func echo(from pod: TestPod, to address: String) throws -> String {
            try mesh.outcome(from: pod, to: address, PodServer.echo)
        }

        private func only(_ rules: String) throws {
            try mesh.manifests.put("policy.yaml", rules)
            try eventually("both nodes have it") {
                try Node.allCases.allSatisfy { node in
                    try !mesh.agent(node).report("policies")["items"].items.isEmpty
                }
            }
        }

        @Test func `say before the fact what then happens, for every way there`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try only(Manifests.allow("ns/shop/sa/web", to: "api", in: "pay"))
            try eventually("shop/batch is refused") { try echo(from: batch, to: mesh.address(api)) == "reset" }
            let ways: [(TestPod, String, String)] = [
                (web, mesh.machine.serviceV4(10), "api.pay:7000"),
                (batch, mesh.machine.serviceV4(10), "api.pay:7000"),
                (web, mesh.address(api), "\(mesh.address(api)):7000"),
                (batch, mesh.address(api, v6: true), "[\(mesh.address(api, v6: true))]:7000"),
                (web, mesh.machine.serviceV6(10), "[\(mesh.machine.serviceV6(10))]:7000"),
                (web, mesh.address(batch), "shop/batch:7000"),
                (web, mesh.address(legacy), "outside/legacy:7000"),
                (legacy, mesh.address(api), "pay/api:7000"),
                (web, mesh.address(web), "shop/web:7000"),
            ]
            for (pod, address, written) in ways {
                let (status, report) = try explain(pod.fullName, written)
                let happened = try echo(from: pod, to: address)
                #expect(report["answer"].text == (happened == "x|eof" ? "ALLOWED" : "DENIED"), "\(pod.name) \(written)")
                #expect(status == (happened == "x|eof" ? 0 : 2))
            }
            let v6 = try explain("shop/web", "[\(mesh.address(api, v6: true))]:7000").report
            #expect("\(v6["verdicts"])".contains("[\(mesh.address(api, v6: true))]:15008"))
        }

        @Test func `name the field that missed, or the rule that matched`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try only(Manifests.allow("ns/shop/sa/web", to: "api", in: "pay"))
            let denied = try explain("shop/batch", "api.pay:80").report
            #expect(denied["reason"].text == "NO_ALLOW_MATCH")
            let verdict = try #require(denied["verdicts"].items.first)
            let considered = try #require(verdict["considered"].items.first { $0["policy"].text == "pay/api-callers" })
            let miss = try #require(considered["misses"].items.first)
            #expect(miss["field"].text == "from[].source.principals")
            #expect(miss["was"].text == "cluster.local/ns/shop/sa/batch")
            #expect(miss["wanted"].text == "cluster.local/ns/shop/sa/web")
            let allowed = try explain("shop/web", "api.pay:80").report
            #expect(allowed["summary"].text == "allowed by pay/api-callers rule 0")
            #expect(try explain("shop/web", "api.pay:80", "--plaintext").report["reason"].text == "NO_ALLOW_MATCH")
        }

        @Test func `know STRICT, and what is only a rehearsal`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            let rehearsal = Manifests.allow(nil, to: "api", in: "pay").replacingOccurrences(
                of: "  namespace: pay\n", with: "  namespace: pay\n  annotations:\n    istio.io/dry-run: \"true\"\n")
            try only(Manifests.strict + "---\n" + rehearsal)
            try eventually("plaintext is refused") { try echo(from: legacy, to: mesh.address(api)) == "reset" }
            #expect(try explain("outside/legacy", "pay/api:7000").report["reason"].text == "PLAINTEXT_REFUSED")
            let allowed = try explain("shop/web", "api.pay:80").report
            #expect(allowed["answer"].text == "ALLOWED")
            #expect("\(allowed["verdicts"])".contains("pay/api-callers would-deny"))
            #expect(try echo(from: web, to: mesh.address(api)) == "x|eof")
        }

        @Test func `say what is wrong with the question`() throws {
            for (destination, words) in [
                ("pay/apu:7000", "did you mean pay/api"), ("pay/api", "has no port"), ("nowhere.pay:80", "no service"),
                ("pay/api:0", "is no port"),
            ] {
                let result = try complaint("shop/web", destination)
                #expect(result.status == 65)
                #expect(result.errors.contains(words), "\(result.errors)")
            }
            #expect(try complaint("shop/wep", "api.pay:80").errors.contains("did you mean shop/web"))
            #expect(try complaint("shop/web").status == 64)
            #expect(try complaint("--id", "1").status == 65)
            let missing = try explain("shop/web", "api.pay:81").report
            #expect(missing["reason"].text == "NO_HEALTHY_UPSTREAM")
            #expect(missing["summary"].text.contains("has no port 81"))
            #expect(try explain("shop/web", "empty.pay:80").report["reason"].text == "NO_HEALTHY_UPSTREAM")
        }

        @Test func `of a connection that was refused last until the worker that refused it ends`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try only(Manifests.allow("ns/shop/sa/web", to: "api", in: "pay"))
            try eventually("shop/batch is refused") { try echo(from: batch, to: mesh.address(api)) == "reset" }
            let refusal = try mesh.refusal(on: .b, "NO_ALLOW_MATCH") {
                $0["reason"].text == "NO_ALLOW_MATCH" && $0["source"]["workload"].text == "batch"
            } after: { () throws in
                #expect(try echo(from: batch, to: mesh.address(api)) == "reset")
            }
            let id = refusal["id"].text
            let then = try explain("--id", id, on: .b)
            #expect(then.status == 2)
            #expect(then.report["earlier"]["connection"]["id"].text == id)
            #expect(then.report["reason"].text == "NO_ALLOW_MATCH")
            try eventually("node a knows where to ask") {
                let told = try complaint("--id", id).errors
                guard told.contains("node-b: ask there") else { throw CommandFailed(description: told) }
                return true
            }
            mesh.manifests.remove("policy.yaml")
            try eventually("it would be allowed now") { try explain("--id", id, on: .b).status == 0 }

            let agent = try mesh.agent(.b)
            kill(try agent.child("worker"), SIGKILL)
            try eventually("there is another worker") {
                try agent.status["agent"]["worker"]["restarts"].number > 0 && agent.isReady(captured: 2)
            }
            let gone = try Command.run([agent.binary, "explain", "--id", id, "--socket", agent.socket])
            #expect(gone.status == 65)
            #expect(gone.errors.contains("until its worker is restarted"), "\(gone.errors)")
            // Nor does another connection ever get its id.
            #expect(try echo(from: web, to: mesh.address(api)) == "x|eof")
            #expect(!(try agent.report("connections")["refused"].items.contains { $0["id"].text == id }))
        }

        @Test func `of who talks to whom say why it is not secured`() throws {
            #expect(try echo(from: legacy, to: mesh.address(api)) == "x|eof")
            #expect(try echo(from: web, to: mesh.address(legacy)) == "x|eof")
            #expect(try echo(from: web, to: mesh.machine.serviceV4(10)) == "x|eof")
            func edge(_ source: String, _ destination: String, on node: Node) throws -> JSONValue? {
                try mesh.agent(node).report("edges")["items"].items.first {
                    $0["source"].text == source && $0["destination"].text == destination
                }
            }
            for node in Node.allCases {
                try eventually("node \(node) tells of all three") {
                    try edge("outside/legacy", "pay/api", on: node)?["plaintextCause"].text == "client not meshed"
                        && edge("shop/web", "outside/legacy", on: node)?["plaintextCause"].text == "server not meshed"
                        && edge("shop/web", "pay/api", on: node)?["security"].text == "mTLS"
                }
            }
            let both = try mesh.agent(.a).report("edges")["items"].items.map { "\($0["source"])>\($0["destination"])" }
            #expect(Set(both).count == both.count, "one line for each two ends")
        }
    }
}
