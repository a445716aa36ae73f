// The chained CNI plugin: it hands what the runtime asks to the agent of this node, and prints the answer.
//
// A container runtime starts it on the host, where none of the image's libraries are: it is linked statically, and for
// the few system calls that it makes it imports Glibc itself instead of the Kernel target.
internal import CNI
internal import Glibc

func environment(_ name: String) -> String {
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
}

/// - Returns: nil if the input is longer than any network configuration, or cannot be read.
func standardInput() -> [UInt8]? {
    var input: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while input.count <= JSONReader.longest {
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(0, $0.baseAddress, $0.count) }
        if count == 0 { return input }
        if count > 0 { input += chunk[..<count] } else if errno != EINTR { return nil }
    }
    return nil
}

func finish(_ answer: PluginAnswer) -> Never {
    var rest = answer.output[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
        if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { exit(1) }
    }
    exit(Int32(answer.exitStatus))
}

// A runtime that went away is no reason to end by a signal.
signal(SIGPIPE, SIG_IGN)
guard let configuration = standardInput() else {
    finish(.failure(PluginError(.undecodable, "the network configuration is too long, or cannot be read")))
}
let invocation = PluginInvocation(
    command: environment("CNI_COMMAND"), containerID: environment("CNI_CONTAINERID"),
    namespacePath: environment("CNI_NETNS"), interfaceName: environment("CNI_IFNAME"),
    arguments: environment("CNI_ARGS"), configuration: configuration)
switch PluginCourse(invocation) {
case .answer(let answer): finish(answer)
case .ask(let socket, let frame, let limit, let whenAway):
    finish(AgentConnection.ask(at: socket, frame, until: .now + limit) ?? whenAway)
}
