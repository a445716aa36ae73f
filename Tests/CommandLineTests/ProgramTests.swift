import Testing

@testable import Agent
@testable import CommandLine

@Suite struct `A command line` {
    @Test func `with an unknown flag ends with 64 and says which`() {
        let (status, transcript) = run("status", "--bogus")
        #expect(status == 64)
        #expect(transcript.errors.contains("--bogus"))
        #expect(transcript.output.isEmpty)
    }

    @Test(arguments: [
        ["bogus"], ["agent"], ["agent", "--config", ""], ["agent", "--config", "d", "--loops", "0"],
        ["agent", "--config", "d", "--loops", "\(AgentConfiguration.mostLoops + 1)"],
        ["agent", "--config", "d", "--ca-cert", "c"], ["agent", "--config", "d", "--ca-chain", "c"],
        ["agent", "--config", "d", "--metrics-port", "65536"], ["agent", "--config", "d", "--trust-domain", "Cluster"],
        ["agent", "--config", "d", "--log-format", "xml"], ["agent", "--config", "d", "--drain-deadline", "5"],
        ["agent", "--config", "d", "--drain-deadline", "-5s"], ["agent", "--config", "d", "--node", ""],
        ["agent", "--config", "d", "--drain-deadline", "99999999999999999999h"],
        ["agent", "--config", "d", "--drain-deadline", "9999999999999999h"],
        ["workloads", "-n", "a", "-A"], ["status", "-o", "csv"], ["status", "--local", "--node", "a"],
        ["explain", "shop/web"], ["explain", "--id", "1", "shop/web"], ["status", "extra"],
        ["status", "--fail-on", "nothing"],
    ])
    func `that makes no sense ends with 64 and starts nothing`(arguments: [String]) {
        let transcript = Transcript()
        let console = Console(
            write: { transcript.output += $0 }, writeError: { transcript.errors += $0 }, isTerminal: false,
            environment: [:], hostName: { "node-a" },
            makeClient: { _ in ScriptedAgent(transcript: transcript) { _ in [] } }, pause: { _ in false },
            processes: .init(
                agent: {
                    transcript.agents.append($0); return 0
                }, worker: { _ in 0 }, embeddedController: { _ in 0 }, subscriber: { _ in 0 },
                controller: { _ in 0 }))
        #expect(Program.run(arguments, on: console) == 64)
        #expect(!transcript.errors.isEmpty)
        #expect(transcript.agents.isEmpty && transcript.askedPaths.isEmpty)
    }

    @Test func `that asks for help gets it on standard output`() {
        let (status, transcript) = run("--help")
        #expect(status == 0)
        #expect(transcript.errors.isEmpty)
        #expect(transcript.output.contains("meshnode agent --config DIR"))
        #expect(!transcript.output.contains("embedded-controller"))
        #expect(!transcript.output.contains("subscriber"))
    }

    @Test func `without a command gets help`() {
        #expect(run().status == 0)
    }

    @Test func `that starts an agent hands over every option`() throws {
        let (status, transcript) = run(
            "agent", "--config", "/etc/mesh", "--listen", "10.0.0.1:15012", "--ca-directory", "/ca", "--ca-cert", "c",
            "--ca-key", "k", "--ca-root",
            "r",
            "--ca-chain", "i", "--node", "n1", "--trust-domain", "prod.example", "--root-namespace", "root",
            "--root-namespace", "old",
            "--run-directory", "/run/m", "--loops", "3", "--log-format", "json", "--log-level", "debug",
            "--metrics-port", "1", "--readiness-port", "2", "--drain-deadline", "5m", "--withdraw-on-exit",
            "--take-over")
        #expect(status == 7)
        #expect(
            transcript.agents == [
                AgentConfiguration(
                    controller: .embedded(
                        .init(
                            manifestDirectory: "/etc/mesh",
                            authority: .init(
                                directory: "/ca", files: .init(certificate: "c", key: "k", chain: "i", root: "r")),
                            listenAddress: "10.0.0.1:15012")),
                    node: "n1", trustDomain: "prod.example", rootNamespaces: ["root", "old"], runDirectory: "/run/m",
                    loops: 3,
                    logFormat: .json, logLevel: .debug, metricsPort: 1, readinessPort: 2, drainDeadlineSeconds: 300,
                    withdrawsOnExit: true, takesOver: true)
            ])
    }

    @Test func `may ask for as many loops as a worker can have`() {
        for loops in [1, AgentConfiguration.mostLoops] {
            #expect(run("agent", "--config", "d", "--loops", "\(loops)").transcript.agents.map(\.loops) == [loops])
        }
    }

    @Test func `that starts an agent with nothing but a directory gets the defaults`() {
        let (_, transcript) = run("agent", "--config", "/etc/mesh")
        #expect(
            transcript.agents == [
                AgentConfiguration(controller: .embedded(.init(manifestDirectory: "/etc/mesh")), node: "node-a")
            ])
        #expect(transcript.agents.first?.socketPath == ReportOptions.defaultSocket)
    }

    @Test func `that starts an agent elsewhere than its controller says where that is`() {
        let (_, transcript) = run(
            "agent", "--controller", "10.0.0.1:15012", "--join-token", "/token", "--state-directory", "/state")
        #expect(
            transcript.agents.map(\.controller) == [
                .remote(.init(address: "10.0.0.1:15012", joinTokenFile: "/token", stateDirectory: "/state"))
            ])
    }

    @Test(arguments: [
        ["agent"], ["agent", "--config", "/m", "--controller", "h:1"], ["agent", "--controller", "10.0.0.1"],
        ["agent", "--controller", "fd00::1:15012"], ["agent", "--controller", ":15012"],
        ["agent", "--config", "/m", "--join-token", "/t"], ["agent", "--controller", "h:1", "--listen", "[::]:1"],
        ["agent", "--config", "/m", "--listen", "15012"], ["controller"],
        ["controller", "--config", "/m", "--listen", "here"],
    ])
    func `that contradicts itself about the controller is refused`(arguments: [String]) {
        let (status, transcript) = run(arguments)
        #expect(status == 64)
        #expect(transcript.output.isEmpty)
        #expect(transcript.agents.isEmpty)
    }

    @Test func `that runs a controller alone hands over its settings`() {
        let (status, transcript) = run("controller", "--config", "/m", "--listen", "[::1]:1", "--log-format", "json")
        #expect(status == 11)
        #expect(
            transcript.controllers == [
                ControllerSettings(source: .init(manifestDirectory: "/m", listenAddress: "[::1]:1"), logFormat: .json)
            ])
    }

    @Test func `of a child process passes what the keeper wrote`() {
        #expect(run("worker", "--anything", "3").transcript.children == [["worker", "--anything", "3"]])
        #expect(run("embedded-controller", "--loops", "x").status == 9)
        #expect(run("subscriber", "x").status == 10)
    }
}

@Suite struct `A command that asks the agent` {
    @Test func `says what to do when nobody answers, and ends with 4`() {
        let (status, transcript) = run("status", "--socket", "/nowhere/agent.sock") { _ in
            throw CommandError(.unreachable, "no agent answers at /nowhere/agent.sock")
        }
        #expect(status == 4)
        #expect(transcript.errors == "meshnode: no agent answers at /nowhere/agent.sock\n")
        #expect(transcript.output.isEmpty)
    }

    @Test func `ends with 77 when it may not`() {
        #expect(run("status") { _ in throw CommandError(.notPermitted, "no") }.status == 77)
    }

    @Test func `really finds no socket where there is none`() {
        let error = #expect(throws: CommandError.self) {
            try AgentSocket(path: "/nonexistent/agent.sock").get("/v1/status")
        }
        #expect(error?.status == .unreachable)
        #expect(error?.message.contains("meshnode agent --config DIR") == true)
    }

    @Test func `takes the socket from the option, the environment, the default`() {
        let environment = ["MESHNODE_SOCKET": "/env.sock"]
        #expect(
            run("policies", "--socket", "/opt.sock", environment: environment).transcript.askedSockets == ["/opt.sock"])
        #expect(run("policies", environment: environment).transcript.askedSockets == ["/env.sock"])
        #expect(
            run("policies", environment: ["MESHNODE_SOCKET": ""]).transcript.askedSockets == [
                "/run/meshnode/agent.sock"
            ])
    }

    @Test(arguments: [
        ("status", "/v1/mesh"), ("check", "/v1/status"), ("services", "/v1/services"), ("edges", "/v1/edges"),
        ("diff", "/v1/diff"), ("workloads", "/v1/workloads"), ("connections", "/v1/connections"),
        ("certificates", "/v1/certificates"), ("policies", "/v1/policies"), ("version", "/v1/version"),
    ])
    func `asks for its own path`(command: String, path: String) {
        #expect(run(command).transcript.askedPaths.first == path)
    }

    @Test func `ends with 0 when the mesh is well and with 2 when it is not`() throws {
        let healthy = try encoded(StatusReport.healthy)
        let degraded = try encoded(StatusReport.degraded)
        #expect(run("status", "--local") { _ in healthy }.status == 0)
        #expect(run("status", "--local") { _ in degraded }.status == 2)
    }

    @Test func `ends with 3 on warnings only if asked to`() throws {
        var report = StatusReport.healthy
        report.problems = [Problem(code: .exemptionByMark, severity: .warning, object: "node-a", cause: "no cgroup v2")]
        let bytes = try encoded(report)
        #expect(run("status", "--local") { _ in bytes }.status == 0)
        #expect(run("status", "--local", "--fail-on", "warning") { _ in bytes }.status == 3)
    }

    @Test(arguments: ["", "[]", "{}", "<html>"])
    func `does not take garbage for a report`(text: String) {
        let (status, transcript) = run("status") { _ in Array(text.utf8) }
        #expect(status == 1)
        #expect(transcript.errors.contains("not a report"))
    }

    @Test func `does not guess at another version of the reports`() {
        let (status, transcript) = run("status") { _ in Array(#"{"apiVersion":"cli.meshnode.dev/v2"}"#.utf8) }
        #expect(status == 1)
        #expect(transcript.errors.contains("cli.meshnode.dev/v2"))
    }

    @Test func `looks again while watched, and outlives a restart of the agent`() throws {
        let bytes = try encoded(StatusReport.healthy)
        var asked = 0
        let (status, transcript) = run("status", "--local", "-w", "-o", "name", looks: 2) { _ in
            asked += 1
            if asked == 2 { throw CommandError(.unreachable, "restarting") }
            return bytes
        }
        #expect(status == 0)
        #expect(transcript.output == "node/node-a\nrestarting\nnode/node-a\n")
    }

    @Test func `clears the screen only while watched on a terminal`() throws {
        let bytes = try encoded(StatusReport.healthy)
        #expect(
            run("status", "--local", "-w", isTerminal: true) { _ in bytes }.transcript.output.hasPrefix(
                "\u{1b}[H\u{1b}[2J"))
        #expect(!run("status", "--local", "-w") { _ in bytes }.transcript.output.contains("\u{1b}"))
        #expect(!run("status", "--local", isTerminal: true) { _ in bytes }.transcript.output.contains("\u{1b}[2J"))
    }

    @Test(arguments: [
        ([:], true), (["NO_COLOR": "1"], false), (["TERM": "dumb"], false), (["NO_COLOR": ""], true),
    ])
    func `has colours on a terminal unless told not to`(environment: [String: String], isColored: Bool) throws {
        let bytes = try encoded(StatusReport.healthy)
        let output = run("status", "--local", environment: environment, isTerminal: true) { _ in bytes }.transcript
            .output
        #expect(output.contains("\u{1b}[32mOK\u{1b}[0m") == isColored)
        #expect(!run("status", "--local", environment: environment) { _ in bytes }.transcript.output.contains("\u{1b}"))
    }
}
