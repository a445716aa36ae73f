import Foundation

/// A container runtime of node a, as far as networks go: Debian's bridge and host-local, then the plugin.
final class PluginChain {
    let mesh: TwoNodes
    private let directory: String
    private let configuration: String
    private var made: Set<String> = []

    /// Where Debian has the plugins.
    private static let plugins = "/usr/lib/cni"
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../hack/cni-chain.py").standardizedFileURL.path

    /// Whether all that it runs is there.
    static let isPossible: Bool = {
        let needed = ["bridge", "host-local"].map { plugins + "/" + $0 } + [script, own]
        return needed.allSatisfy { FileManager.default.isReadableFile(atPath: $0) }
    }()

    /// The plugin, which is beside the program.
    private static var own: String {
        let binary = (try? AgentBinary.path) ?? ""
        return URL(fileURLWithPath: binary).deletingLastPathComponent().appendingPathComponent("meshnode-cni").path
    }

    init(_ mesh: TwoNodes) throws {
        self.mesh = mesh
        directory = mesh.directory + "/cni"
        configuration = directory + "/mesh.conflist"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let network = """
            {"cniVersion": "1.0.0", "name": "pods", "plugins": [
              {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipam": {
                "type": "host-local", "dataDir": "\(directory)/ipam", "routes": [{"dst": "0.0.0.0/0"}],
                "ranges": [[{"subnet": "10.230.\(mesh.machine.slot + Node.a.number).128/25"}]]}},
              {"type": "meshnode-cni", "agentSocket": "\(try mesh.agent(.a).runDirectory)/cni.sock"}]}
            """
        try Data(network.utf8).write(to: URL(fileURLWithPath: configuration))
    }

    deinit {
        for name in made { _ = try? Command.shell("ip netns del \(name)") }
    }

    /// What a call came to: `ips` of an ADD, `code` and `msg` of a refusal.
    struct Answer: CustomStringConvertible {
        let status: Int32
        let value: JSONValue
        let description: String

        var code: Int { value["code"].number }
        var message: String { value["msg"].text }
        /// Without the length of the prefix.
        var address: String {
            value["ips"].items.first?["address"].text.split(separator: "/").first.map(String.init) ?? ""
        }
    }

    /// The network namespace that the runtime makes for a pod.
    func makeNamespace(_ name: String) throws {
        try Command.shell("ip netns add \(mesh.machine.netns(name)); ip -n \(mesh.machine.netns(name)) link set lo up")
        made.insert(mesh.machine.netns(name))
    }

    func removeNamespace(_ name: String) throws {
        try Command.shell("ip netns del \(mesh.machine.netns(name))")
        made.remove(mesh.machine.netns(name))
    }

    /// From now on host-local begins with the lowest that is free, not behind the last one that it gave.
    func forgetLastAddress() throws {
        try Command.shell("find \(directory) -name 'last_reserved_ip*' -delete")
    }

    /// Calls the chain for the sandbox `name`.
    /// - Parameters:
    ///   - pod: `NAMESPACE/NAME`.
    ///   - uid: empty: the runtime does not say it.
    @discardableResult
    func call(_ command: String, _ name: String, pod: String, uid: String = "") throws -> Answer {
        var options = ["--pod", pod]
        if !uid.isEmpty { options += ["--uid", uid] }
        return try run(options, [command, mesh.machine.netns(name), mesh.machine.path(name)])
    }

    /// The sandboxes that are still there; all others are to be let go.
    func collectGarbage(keeping names: [String]) throws -> Answer {
        try run([], ["gc"] + names.map(mesh.machine.netns))
    }

    func status() throws -> Answer { try run([], ["status"]) }

    private func run(_ options: [String], _ words: [String]) throws -> Answer {
        let path = Self.plugins + ":" + URL(fileURLWithPath: Self.own).deletingLastPathComponent().path
        let command = [Command.python, Self.script, "--path", path, "--state", directory + "/results"] + options
        let result = try Command.run(mesh.machine.inside(Node.a.rawValue, command + [configuration] + words))
        guard result.status == 0 || result.output.hasPrefix("{") else {
            throw CommandFailed(description: "\(words) ended with \(result.status): \(result.output) \(result.errors)")
        }
        return Answer(
            status: result.status, value: try JSONValue(result.output.isEmpty ? "{}" : result.output),
            description: result.output)
    }
}
