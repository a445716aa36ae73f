import Foundation
import Testing

/// A running mesh of two nodes that all tests of the suite share.
///
///     node a: shop/web, shop/batch, outside/legacy (not in the mesh)     node b: pay/api, pay/cache
final class TwoNodes {
    static let web = TestPod(name: "web", node: .a, number: 10, namespace: "shop")
    static let batch = TestPod(name: "batch", node: .a, number: 11, namespace: "shop")
    static let legacy = TestPod(name: "legacy", node: .a, number: 12, namespace: "outside")
    static let api = TestPod(name: "api", node: .b, number: 10, namespace: "pay")
    static let cache = TestPod(name: "cache", node: .b, number: 11, namespace: "pay")
    static let pods = [web, batch, legacy, api, cache]

    let machine = Machine()
    let directory: String
    let manifests: Manifests
    let janitor: Janitor
    private(set) var agents: [Node: Agent] = [:]
    private var servers: [String: Dialogue] = [:]
    private var madeCertificates: MeshCertificates?

    /// Whether this machine lets the tests make namespaces.
    static let isPossible: Bool = {
        let name = "mnt-node-\(ProcessInfo.processInfo.processIdentifier)-can"
        let script = """
            trap 'ip netns del \(name)' EXIT
            ip netns add \(name)
            nsenter --net=/run/netns/\(name) nft list ruleset
            \(Command.python) -c pass
            openssl version
            """
        return (try? Command.shell(script)) != nil
    }()

    init() throws {
        directory = NSTemporaryDirectory() + machine.prefix + "files"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        chmod(directory, 0o755)
        janitor = try Janitor(prefix: machine.prefix, directory: directory)
        manifests = try Manifests(machine, directory: directory + "/manifests")
    }

    /// Makes everything and waits until the mesh works.
    func start() throws {
        _ = try AgentBinary.path
        try machine.makeNodes()
        for pod in Self.pods {
            try machine.make(pod)
            try startServer(in: pod.name)
        }
        try writeManifests()
        for node in Node.allCases { try startAgent(node) }
        try waitUntilReady()
    }

    private func writeManifests() throws {
        let namespaces =
            [
                Manifests.namespace("shop"), Manifests.namespace("pay"),
                Manifests.namespace("outside", isEnrolled: false),
            ]
        try manifests.put("namespaces.yaml", namespaces.joined(separator: "---\n"))
        for pod in Self.pods { try manifests.put(pod.name + ".yaml", manifests.pod(pod)) }
        let services = [
            manifests.service("api", in: "pay", number: 10), manifests.service("web", in: "shop", number: 20),
            manifests.service("empty", in: "pay", number: 30),
        ]
        try manifests.put("services.yaml", services.joined(separator: "---\n"))
    }

    func startServer(in namespace: String) throws {
        let server = try Dialogue(machine, in: namespace, PodServer.script, seconds: 600)
        guard try server.next() == "listening" else { throw CommandFailed(description: "no server in \(namespace)") }
        servers[namespace] = server
    }

    func stopServer(in namespace: String) {
        servers[namespace] = nil
    }

    func startAgent(_ node: Node, _ more: [String] = [], wrapper: [String] = [], isClogged: Bool = false) throws {
        agents[node] = try Agent(
            machine, in: node.rawValue, directory: directory, name: "agent-\(node.rawValue)", wrapper: wrapper,
            isClogged: isClogged,
            arguments: try controllerArguments(node) + [
                "--node", "node-\(node.rawValue)", "--drain-deadline", "15s", "--log-format",
                node == .a ? "json" : "text",
            ] + more)
    }

    /// The agent of a node is that one again: another that was started did not take over.
    func keep(_ agent: Agent, on node: Node) {
        agents[node] = agent
    }

    /// The controller is on node a; node b joins with a token.
    private func controllerArguments(_ node: Node) throws -> [String] {
        let authority = directory + "/ca"
        switch node {
        case .a:
            return [
                "--config", manifests.directory, "--ca-directory", authority, "--listen", controllerAddress,
            ]
        case .b:
            let token = directory + "/token-b"
            if !FileManager.default.fileExists(atPath: token) {
                let command = [
                    try AgentBinary.path, "token", "create", "--node", "node-b", "--ca-directory", authority,
                ]
                let result = try Command.run(command)
                guard result.status == 0 else { throw CommandFailed(description: result.errors) }
                try Data(result.output.utf8).write(to: URL(fileURLWithPath: token))
            }
            return [
                "--controller", controllerAddress, "--join-token", token, "--state-directory", directory + "/state-b",
            ]
        }
    }

    /// Where node b finds the controller.
    var controllerAddress: String { "\(machine.nodeV4(.a)):15012" }

    func waitUntilReady() throws {
        for node in Node.allCases {
            let agent = try agent(node)
            do {
                try eventually("node \(node) serves its two pods", within: 20) { try agent.isReady(captured: 2) }
            } catch {
                throw CommandFailed(description: "\(error)\nthe agent's log ends:\n\(agent.log.suffix(2000))")
            }
        }
    }

    func agent(_ node: Node) throws -> Agent {
        guard let agent = agents[node] else { throw CommandFailed(description: "no agent on node \(node)") }
        return agent
    }

    /// Ends everything.
    func stop() throws {
        for agent in agents.values where agent.isRunning { kill(agent.pid, SIGTERM) }
        for agent in agents.values { _ = try? agent.waitForExit(within: 5) }
        servers = [:]
        janitor.clean()
        guard janitor.namespaces.isEmpty else {
            throw CommandFailed(description: "namespaces are left: \(janitor.namespaces)")
        }
    }
}

/// What tests ask for.
extension TwoNodes {
    /// Runs Python in a pod (or node); what it printed.
    func python(_ name: String, _ body: String, seconds: Int = 30) throws -> String {
        let command = machine.inside(name, [Command.python, "-c", Python.script(body)])
        let result = try Command.run(command, seconds: seconds)
        guard result.status == 0 else {
            throw CommandFailed(description: "Python in \(name) ended with \(result.status): \(result.errors)")
        }
        return result.output
    }

    /// How one connection from a pod goes that sends `data` and shuts down its write side.
    func outcome(from pod: TestPod, to host: String, _ port: Int, _ data: String = "x") throws -> String {
        try python(pod.name, #"print(outcome("\#(host)", \#(port), b"\#(data)"))"#)
    }

    /// Asks the server of a pod, from inside the pod.
    func control(_ pod: TestPod, _ order: String) throws -> String {
        let body = #"c = connect("127.0.0.1", 7009); c.sendall(b"\#(order)\n"); print(read_all(c)[0].decode())"#
        return try python(pod.name, body)
    }

    func address(_ pod: TestPod, v6: Bool = false) -> String { v6 ? machine.v6(pod) : machine.v4(pod) }

    var certificates: MeshCertificates {
        get throws {
            if let madeCertificates { return madeCertificates }
            let made = try MeshCertificates(authority: directory + "/ca", directory: directory + "/certificates")
            madeCertificates = made
            return made
        }
    }

    /// The refusals on a node that came after `action`: waits until one matches.
    /// - Parameter matches: given a refusal of `meshnode connections`.
    @discardableResult
    func refusal(
        on node: Node, _ what: String, where matches: (JSONValue) -> Bool, after action: () throws -> Void
    ) throws -> JSONValue {
        let agent = try agent(node)
        let known = Set(try agent.refusals.map { $0["id"].text })
        try action()
        return try eventually("a refusal on node \(node): \(what)", within: 5) {
            try agent.refusals.last { !known.contains($0["id"].text) && matches($0) }
        }
    }
}

/// Makes the mesh before the first test of the suite and takes it away after the last.
struct TwoNodesTrait: SuiteTrait, TestScoping {
    @TaskLocal static var mesh: Shared?

    /// The suite is serialized: one test at a time uses it.
    struct Shared: @unchecked Sendable {
        let mesh: TwoNodes
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let mesh = try TwoNodes()
        do {
            try mesh.start()
        } catch {
            try? mesh.stop()
            throw error
        }
        let result: Result<Void, any Error>
        do {
            result = .success(try await Self.$mesh.withValue(Shared(mesh: mesh), operation: function))
        } catch {
            result = .failure(error)
        }
        try mesh.stop()
        try result.get()
    }
}

/// The mesh that the running test shares.
func sharedMesh() throws -> TwoNodes {
    guard let shared = TwoNodesTrait.mesh else { throw CommandFailed(description: "outside of the suite OnTwoNodes") }
    return shared.mesh
}

extension TwoNodes {
    /// Waits until nothing of the test before is in force any more: everyone reaches everyone, and nothing is wrong.
    func settle() throws {
        try eventually("the mesh is as it was in the beginning") {
            for pod in [Self.batch, Self.legacy] {
                guard try outcome(from: pod, to: address(Self.api), PodServer.echo) == "x|eof" else { return false }
            }
            return true
        }
        for node in Node.allCases {
            try eventually("node \(node) is well") {
                try agent(node).status["manifestProblems"].items.isEmpty && agent(node).isReady(captured: 2)
            }
        }
    }
}

/// Everything that needs the two nodes, one at a time.
@Suite(
    .serialized,
    .enabled(
        if: TwoNodes.isPossible,
        "skipped: needs root, ip, nsenter, nft, openssl, python3 and leave to make network namespaces"),
    TwoNodesTrait())
enum OnTwoNodes {}
