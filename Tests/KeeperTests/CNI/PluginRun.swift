import Glibc
import NamespaceTestSupport
import Testing

@testable import Keeper
@testable import Kernel

/// The plugin's program, which is built beside the tests.
enum PluginProgram {
    static let path: String? = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let programs = [own] + CommandLine.arguments.filter { $0.contains(".xctest") }
        return programs.compactMap { $0.range(ofLast: "/").map { "\($0)/meshnode-cni" } }
            .first { access($0, X_OK) == 0 }
    }()

    /// Debian's containernetworking-plugins, and what runs the chain.
    static let hasBridge =
        access("/usr/lib/cni/bridge", X_OK) == 0 && access("/usr/lib/cni/host-local", X_OK) == 0
        && shell("python3 --version")
}

extension String {
    /// What stands before the last `character`.
    fileprivate func range(ofLast character: Character) -> Substring? {
        lastIndex(of: character).map { self[..<$0] }
    }
}

/// A program that runs, and what it wrote.
final class RunningCommand {
    private let process: ChildProcess
    private let output: String

    /// - Parameter command: for the shell.
    init(_ command: String, in directory: String, name: String) throws {
        output = "\(directory)/\(name).out"
        var specification = ChildSpecification(
            arguments: ["sh", "-c", "{ \(command); } >\(output) 2>&1"],
            environment: ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        specification.path = "/bin/sh"
        process = try ChildProcess.start(specification)
    }

    /// Its status and what it wrote, when it has ended.
    func wait() throws -> (status: Int32, output: String) {
        var entry = pollfd(fd: process.descriptor.raw, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 30_000) == 1, "it does not end")
        guard case .exited(let code)? = try process.reap() else { return (-1, "") }
        return (code, String(decoding: try Files.read(output, limit: 1 << 20), as: UTF8.self))
    }

    /// Ends it at once; only a command that replaces the shell.
    func kill() { process.signal(SIGKILL) }
}

/// A pod's sandbox as a runtime has it: a namespace, a container, and calls of the plugin alone, with a result that
/// some plugin before it could have made.
final class Sandbox {
    let namespace: TestNamespace
    let container: String
    let pod: String
    var uid = "0000-1"
    private let address: String
    private let harness: KeeperHarness
    private var calls = 0

    init(_ pod: String, _ address: String, container: String = "c1", _ harness: KeeperHarness) {
        namespace = TestNamespace(addresses: ["\(address)/32"])
        self.pod = pod
        self.address = address
        self.container = container
        self.harness = harness
    }

    var result: String {
        """
        {"cniVersion":"1.1.0","interfaces":[{"name":"eth0","sandbox":"\(namespace.path)"}],"ips":[{"address":"\(address)/32","interface":0}]}
        """
    }

    /// Starts a call.
    /// - Parameter isConfined: the plugin, as `plugin` in the keeper's directory, sees nothing but that directory.
    func start(_ command: String, more: String = "", isConfined: Bool = false) throws -> RunningCommand {
        calls += 1
        let name = "\(container)-\(calls)"
        let socket = isConfined ? "/cni.sock" : "\(harness.directory)/cni.sock"
        let configuration = """
            {"cniVersion":"1.1.0","name":"test","type":"meshnode-cni","agentSocket":"\(socket)","prevResult":\(result)\(more)}
            """
        let input = "\(harness.directory)/\(name).json"
        try Files.writeAtomically(Array(configuration.utf8), to: input, mode: 0o600)
        let parts = pod.split(separator: "/")
        let program = isConfined ? "chroot \(harness.directory) /plugin" : try #require(PluginProgram.path)
        return try RunningCommand(
            """
            exec env CNI_COMMAND=\(command) CNI_CONTAINERID=\(container) CNI_NETNS=\(namespace.path) CNI_IFNAME=eth0 \
            CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAMESPACE=\(parts[0]);K8S_POD_NAME=\(parts[1]);K8S_POD_UID=\(uid)' \
            \(program) <\(input)
            """, in: harness.directory, name: name)
    }

    /// Makes a call that needs no controller.
    func call(_ command: String, more: String = "") throws -> (status: Int32, output: String) {
        try start(command, more: more).wait()
    }
}
