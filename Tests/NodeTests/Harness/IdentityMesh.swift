import Foundation
import Testing

/// A mesh of two nodes whose controller is a process of its own: it can be stopped, be gone, and come back with other
/// settings, and both nodes are its guests.
///
///     node a: meshnode controller, shop/web     node b: pay/api
final class IdentityMesh {
    static let web = TestPod(name: "web", node: .a, number: 10, namespace: "shop")
    static let api = TestPod(name: "api", node: .b, number: 10, namespace: "pay")

    let machine = Machine("id-", network: 231)
    let directory: String
    let manifests: Manifests
    private let janitor: Janitor
    private var servers: [Dialogue] = []
    private(set) var agents: [Node: Agent] = [:]
    private(set) var controller: LoneController?
    private var lifetime = ""
    /// Agents that are as `run` starts them.
    private var usual: Set<Node> = []

    init() throws {
        directory = NSTemporaryDirectory() + machine.prefix + "files"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        chmod(directory, 0o755)
        janitor = try Janitor(prefix: machine.prefix, directory: directory)
        manifests = try Manifests(machine, directory: directory + "/manifests")
    }

    /// Makes everything but the processes of the mesh.
    func make() throws {
        try machine.makeNodes()
        try manifests.put(
            "namespaces.yaml", Manifests.namespace("shop") + "---\n" + Manifests.namespace("pay"))
        for pod in [Self.web, Self.api] {
            try machine.make(pod)
            let server = try Dialogue(machine, in: pod.name, PodServer.script, seconds: 600)
            guard try server.next() == "listening" else { throw CommandFailed(description: "no server in \(pod.name)") }
            servers.append(server)
            try manifests.put(pod.name + ".yaml", manifests.pod(pod))
        }
    }

    func stop() throws {
        for agent in agents.values where agent.isRunning { kill(agent.pid, SIGTERM) }
        for agent in agents.values { _ = try? agent.waitForExit(within: 5) }
        controller = nil
        servers = []
        janitor.clean()
        guard janitor.namespaces.isEmpty else {
            throw CommandFailed(description: "namespaces are left: \(janitor.namespaces)")
        }
    }

    // MARK: Its processes

    /// Makes sure that everything runs, with certificates of `lifetime`. Nobody holds a longer one then.
    func run(lifetime: String) throws {
        let isOther = self.lifetime != lifetime
        if isOther || controller == nil { try startController(lifetime: lifetime) }
        controller?.thaw()
        let others = Node.allCases.filter { isOther || !usual.contains($0) || agents[$0]?.isRunning != true }
        for node in others {
            if let agent = agents[node], agent.isRunning { kill(agent.pid, SIGTERM) }
        }
        for node in others { try restartAgent(node) }
        try waitUntilReady()
    }

    var authority: String { directory + "/ca" }
    var controllerAddress: String { "\(machine.nodeV4(.a)):15012" }

    func startController(lifetime: String? = nil) throws {
        self.lifetime = lifetime ?? self.lifetime
        controller = nil
        controller = try LoneController(
            machine, in: Node.a.rawValue, directory: directory,
            arguments: [
                "--config", manifests.directory, "--ca-directory", authority, "--listen", controllerAddress,
                "--certificate-lifetime", self.lifetime,
            ])
    }

    /// Ends the controller, as a crash would.
    func stopController() { controller = nil }

    /// Starts the agent of `node` (anew).
    /// - Parameters:
    ///   - wrapper: what it is started through.
    ///   - credential: options that say how it joins; nil: as it always does.
    @discardableResult
    func restartAgent(_ node: Node, wrapper: [String] = [], credential: [String]? = nil) throws -> Agent {
        try stopAgent(node)
        let agent = try Agent(
            machine, in: node.rawValue, directory: directory, name: "agent-\(node.rawValue)", wrapper: wrapper,
            arguments: try [
                "--controller", controllerAddress, "--node", "node-\(node.rawValue)", "--drain-deadline", "1s",
            ] + (credential ?? self.credential(of: node)))
        agents[node] = agent
        if wrapper.isEmpty && credential == nil { usual.insert(node) } else { usual.remove(node) }
        return agent
    }

    func stopAgent(_ node: Node) throws {
        guard let old = agents[node], old.isRunning else { return }
        _ = try old.stop()
    }

    private func credential(of node: Node) throws -> [String] {
        let file = directory + "/token-\(node.rawValue)"
        if !FileManager.default.fileExists(atPath: file) {
            // The authority is made by whoever comes first.
            try makeToken(for: "node-\(node.rawValue)", file: file)
        }
        return ["--join-token", file, "--state-directory", directory + "/state-\(node.rawValue)"]
    }

    func makeToken(for node: String, file: String, authority: String? = nil, _ more: [String] = []) throws {
        let token = try command(["token", "create", "--node", node], authority: authority, more)
        guard token.status == 0 else { throw CommandFailed(description: token.errors) }
        try Data(token.output.utf8).write(to: URL(fileURLWithPath: file))
    }

    /// Runs `meshnode` on the authority.
    func command(_ words: [String], authority: String? = nil, _ more: [String] = []) throws -> CommandResult {
        try Command.run([try AgentBinary.path] + words + ["--ca-directory", authority ?? self.authority] + more)
    }

    /// `meshnode authority ...`, which must succeed.
    func administer(_ words: String...) throws {
        let result = try command(["authority"] + words)
        guard result.status == 0 else { throw CommandFailed(description: "\(words): \(result.errors)") }
    }

    // MARK: What it is like

    func agent(_ node: Node) throws -> Agent {
        guard let agent = agents[node] else { throw CommandFailed(description: "no agent on node \(node)") }
        return agent
    }

    func waitUntilReady() throws {
        for node in Node.allCases {
            do {
                try eventually("node \(node) serves its pod", within: 20) {
                    try agent(node).isReady(captured: 1) && agent(node).status["controller"]["state"].text == "OK"
                }
            } catch {
                let log = try agent(node).log.suffix(2000)
                let other = controller?.log.suffix(2000) ?? ""
                throw CommandFailed(description: "\(error)\nits log ends:\n\(log)\nthe controller's:\n\(other)")
            }
        }
        try eventually("traffic flows") { try echo() == "x|eof" && echo(from: Self.api) == "x|eof" }
    }

    /// How one connection between the two pods goes.
    func echo(from pod: TestPod = IdentityMesh.web) throws -> String {
        let peer = pod == Self.web ? Self.api : Self.web
        return try python(pod.name, #"print(outcome("\#(machine.v4(peer))", \#(PodServer.echo), b"x"))"#)
    }

    func python(_ name: String, _ body: String) throws -> String {
        let result = try Command.run(machine.inside(name, [Command.python, "-c", Python.script(body)]))
        guard result.status == 0 else { throw CommandFailed(description: "Python in \(name): \(result.errors)") }
        return result.output
    }

    /// The certificate of the only pod of `node`.
    func certificate(on node: Node) throws -> JSONValue {
        let items = try agent(node).report("certificates")["items"].items
        guard let item = items.first(where: { $0["role"].text == "workload" }) else {
            throw CommandFailed(description: "no certificate on node \(node)")
        }
        return item
    }

    /// The problems with this code that the node itself tells.
    func problems(_ code: String, on node: Node) throws -> [String] {
        try agent(node).status["problems"].items.filter { $0["code"].text == code }.map { $0["cause"].text }
    }

    /// How many roots `node` trusts, as its worker was told.
    func roots(on node: Node) throws -> Int { try agent(node).status["certificateAuthority"]["roots"].number }
}

/// Makes the mesh before the first test of the suite and takes it away after the last.
struct IdentityMeshTrait: SuiteTrait, TestScoping {
    @TaskLocal static var mesh: Shared?

    /// The suite is serialized: one test at a time uses it.
    struct Shared: @unchecked Sendable {
        let mesh: IdentityMesh
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let mesh = try IdentityMesh()
        let result: Result<Void, any Error>
        do {
            try mesh.make()
            result = .success(try await Self.$mesh.withValue(Shared(mesh: mesh), operation: function))
        } catch {
            result = .failure(error)
        }
        try mesh.stop()
        try result.get()
    }

    /// The mesh that the running test shares.
    static func shared() throws -> IdentityMesh {
        guard let mesh else { throw CommandFailed(description: "outside of the suite of identities") }
        return mesh.mesh
    }
}
