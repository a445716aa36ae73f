import Testing

@testable import Agent
@testable import CommandLine

@Suite struct `The command explain` {
    @Test(arguments: [
        (["shop/web", "api.pay:80"], "/v1/explain?dst=api.pay%3A80&src=shop%2Fweb"),
        (["web", "api:80", "-n", "shop"], "/v1/explain?dst=shop%2Fapi%3A80&src=shop%2Fweb"),
        (["10.0.0.1", "[fd00::1]:80", "-n", "shop"], "/v1/explain?dst=%5Bfd00%3A%3A1%5D%3A80&src=10.0.0.1"),
        (
            ["fd00::2", "pay/api:80", "-n", "shop", "--plaintext"],
            "/v1/explain?dst=pay%2Fapi%3A80&plaintext=1&src=fd00%3A%3A2"
        ),
        (["--id", "72057594037927937"], "/v1/explain?id=72057594037927937"),
    ])
    func `asks the agent`(arguments: [String], path: String) throws {
        let bytes = try encoded(ExplainReport.denied)
        let transcript = Transcript()
        let command = try #require(try MeshnodeCommand.parseAsRoot(["explain"] + arguments) as? ExplainCommand)
        let target = AdminTarget(path: ExplainReport.path, query: command.query)
        #expect(target.text == path)
        #expect(AdminTarget(path) == target)
        #expect(transcript.output.isEmpty && !bytes.isEmpty)
    }

    @Test func `ends with 0 if it is allowed and with 2 if not`() throws {
        var report = ExplainReport.denied
        let denied = try encoded(report)
        report.answer = .allowed
        let allowed = try encoded(report)
        #expect(run("explain", "shop/web", "api.pay:80") { _ in denied }.status == 2)
        #expect(run("explain", "shop/web", "api.pay:80") { _ in allowed }.status == 0)
    }

    @Test func `passes on what is wrong with the question`() {
        let (status, transcript) = run("explain", "shop/webb", "api.pay:80") { _ in
            throw CommandError(.badInput, "no pod shop/webb; did you mean shop/web?")
        }
        #expect(status == 65)
        #expect(transcript.errors == "meshnode: no pod shop/webb; did you mean shop/web?\n")
    }
}

@Suite struct `The command status` {
    @Test func `asks keeper and controller when the worker is down`() throws {
        let mesh = try encoded(MeshStatusReport.healthy)
        let keeper = KeeperView(
            pid: 7, residentBytes: 1, worker: "waiting to be started again", isWorkerReady: false, workerRestarts: 2)
        var asked = 0
        let (status, transcript) = run("status", "--socket", "/run/x/agent.sock", keeper: keeper) { _ in
            asked += 1
            if asked == 1 { throw CommandError(.unreachable, "nobody") }
            return mesh
        }
        #expect(status == 2)
        #expect(transcript.askedSockets == ["/run/x/agent.sock", "/run/x/controller-admin.sock"])
        #expect(transcript.askedKeepers == ["/run/x/keeper.sock"])
        #expect(transcript.output.contains("MN2007 node-a: the worker is waiting to be started again"))
        #expect(transcript.output.contains("node-b  Ready"))
    }

    @Test func `ends with 4 when nobody answers`() {
        let (status, transcript) = run("status")
        #expect(status == 4)
        #expect(transcript.askedKeepers == ["/run/meshnode/keeper.sock"])
    }

    @Test func `asks a controller if told to, and nobody else`() throws {
        let mesh = try encoded(MeshStatusReport.healthy)
        let transcript = run("status", "--controller", "/c.sock") { _ in mesh }.transcript
        #expect(transcript.askedSockets == ["/c.sock"])
        #expect(run("status", "--controller", "/c.sock").transcript.askedKeepers.isEmpty)
    }

    @Test func `knows the nodes that it can show`() throws {
        let mesh = try encoded(MeshStatusReport.healthy)
        let (status, transcript) = run("status", "--node", "node-x") { _ in mesh }
        #expect(status == 65)
        #expect(transcript.errors.contains("there are: node-a, node-b, node-c"))
        #expect(run("status", "--node", "node-b", "-o", "name") { _ in mesh }.transcript.output == "node/node-b\n")
    }
}

@Suite struct `A label selector` {
    private let report = WorkloadsReport(
        time: at("14:02:11"), node: "node-a",
        items: ["web", "api"].map { name in
            .init(
                namespace: "shop", name: name, node: "node-a", addresses: [], identity: "", protocol: "HBONE",
                isHealthy: true, capture: .captured, labels: ["service.istio.io/canonical-name": name])
        })

    @Test func `keeps the pods that have the labels`() throws {
        let bytes = try encoded(report)
        let (status, transcript) = run(
            "workloads", "-l", "service.istio.io/canonical-name=api", "-o", "name"
        ) { _ in bytes }
        #expect(status == 0)
        #expect(transcript.output == "workload/shop/api\n")
    }

    @Test func `is refused for a label that agents are not told of`() throws {
        let bytes = try encoded(report)
        let (status, transcript) = run("workloads", "-l", "app=api") { _ in bytes }
        #expect(status == 64)
        #expect(transcript.errors.contains("they know: service.istio.io/canonical-name"))
    }

    @Test(arguments: ["app", "=x", "a!=b", "a==b", ""])
    func `is not guessed at`(text: String) {
        #expect(throws: CommandError.self) { try LabelSelector(text) }
    }
}
