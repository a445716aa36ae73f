import Addressing
import Foundation
import Kernel
import Synchronization
import Testing

@testable import Capture

/// Two network namespaces joined by a veth pair, a pod and the world outside of it, and a process with sockets in both.
final class TestPod {
    static let podV4 = "10.202.0.2"
    static let podV6 = "fd00:202::2"
    static let outsideV4 = "10.202.0.1"
    static let outsideV6 = "fd00:202::1"
    /// Routed to the pod, and owned by nobody.
    static let foreignV4 = "10.202.77.7"
    static let foreignV6 = "fd00:202:77::7"
    static let applicationPort = 8080

    /// Whether this machine lets the tests make namespaces.
    static let isPossible: Bool = {
        let name = "mnt-capture-\(ProcessInfo.processInfo.processIdentifier)-can"
        defer { _ = try? shell("ip netns del \(name)") }
        return (try? shell("ip netns add \(name) && ip netns exec \(name) nft list ruleset && python3 -c pass")) != nil
    }()

    private static let counter = Atomic<Int>(0)

    let pod: String
    let outside: String
    let namespace: NetworkNamespace
    private let world = Process()
    private let orders = Pipe()
    private let answers = Pipe()
    private let script: String

    init() throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        let base = "mnt-capture-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
        pod = base + "-pod"
        outside = base + "-out"
        try shell(
            """
            ip netns add \(pod) && ip netns add \(outside)
            ip -n \(pod) link add eth0 type veth peer name eth0 netns \(outside)
            for n in \(pod) \(outside); do ip -n $n link set lo up; ip -n $n link set eth0 up; done
            ip -n \(pod) addr add \(Self.podV4)/24 dev eth0; ip -n \(outside) addr add \(Self.outsideV4)/24 dev eth0
            ip -n \(pod) addr add \(Self.podV6)/64 dev eth0 nodad; ip -n \(outside) addr add \(Self.outsideV6)/64 dev eth0 nodad
            ip -n \(outside) addr add 169.254.7.127/32 dev lo
            ip -n \(pod) route add default via \(Self.outsideV4); ip -n \(pod) -6 route add default via \(Self.outsideV6)
            """)
        namespace = try NetworkNamespace.open(path: "/run/netns/\(pod)")
        script = NSTemporaryDirectory() + base + ".py"
        try worldScript.write(toFile: script, atomically: true, encoding: .utf8)
        world.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        world.arguments = ["python3", script]
        world.standardInput = orders
        world.standardOutput = answers
        try world.run()
    }

    deinit {
        try? orders.fileHandleForWriting.close()
        world.waitUntilExit()
        _ = try? shell("ip netns del \(pod); ip netns del \(outside)")
        try? FileManager.default.removeItem(atPath: script)
    }

    var processIdentifier: Int32 { world.processIdentifier }

    /// A capture of this pod, not yet enrolled.
    func makeCapture() throws -> PodCapture {
        try namespace.perform { () throws(CaptureError) in try PodCapture() }
    }

    /// A capture of this pod as the plan has it; by mark unless the test says otherwise.
    func capture(_ change: (inout PodCapturePlan) -> Void = { _ in }) throws -> PodCapture {
        let capture = try makeCapture()
        var plan = PodCapturePlan(exemption: .mark)
        plan.hasIPv6 = true
        change(&plan)
        try namespace.perform { () throws(CaptureError) in try capture.enrol(plan) }
        return capture
    }

    /// The application, the agent's three listeners and servers outside, in both families.
    func listenEverywhere() throws {
        let listeners = [
            ("application", pod, Self.applicationPort), ("outbound", pod, 15001), ("inbound", pod, 15006),
            ("tunnel", pod, 15008), ("server", outside, 9090), ("serverTLS", outside, 443),
        ]
        for (name, space, port) in listeners {
            try listen(name, in: space, "::", port)
        }
    }

    func listen(_ name: String, in space: String, _ address: String, _ port: Int) throws {
        try order(["do": "listen", "name": name, "space": space, "address": address, "port": port])
    }

    /// Connects and says which listener accepted it; "refused" and "nothing" where none did.
    @discardableResult
    func connect(from space: String, to address: String, _ port: Int, _ options: [String: Any] = [:]) throws -> Reached
    {
        let basic: [String: Any] = ["do": "connect", "space": space, "to": address, "port": port]
        let answer = try order(basic.merging(options) { $1 })
        return Reached(
            listener: answer["reached"] as? String ?? "", originalDestination: answer["original"] as? String,
            peer: answer["peer"] as? String)
    }

    /// "works" where bytes still go both ways over a connection that was kept.
    func exchange(_ name: String) throws -> String {
        try order(["do": "exchange", "name": name])["state"] as? String ?? ""
    }

    @discardableResult
    func order(_ order: [String: Any]) throws -> [String: Any] {
        try orders.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: order) + Data([10]))
        var line = Data()
        while line.last != 10 {
            let more = answers.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the process with the sockets has ended")
            line += more
        }
        let answer = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
        if let problem = answer["problem"] { throw ShellFailure(text: "\(order): \(problem)") }
        return answer
    }

    /// nft's listing of the pod's rules.
    func listing() throws -> String { try shell("ip netns exec \(pod) nft -y list ruleset") }

    /// Runs a command inside the pod's namespace.
    @discardableResult
    func run(_ command: String) throws -> String { try shell("ip netns exec \(pod) \(command)") }
}

/// Who accepted a connection, and what it saw of it.
struct Reached: Equatable {
    let listener: String
    let originalDestination: String?
    let peer: String?
}

struct ShellFailure: Error {
    let text: String
}

/// The command's output.
@discardableResult
func shell(_ command: String) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-e", "-c", command]
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ShellFailure(text: "\(command): \(text)") }
    return text
}
