import FoundationEssentials

@testable import Agent
@testable import CommandLine

/// What a command said and asked, in one place.
final class Transcript {
    var output = ""
    var errors = ""
    var askedSockets: [String] = []
    var askedPaths: [String] = []
    var askedKeepers: [String] = []
    var agents: [AgentConfiguration] = []
    var controllers: [ControllerSettings] = []
    var children: [[String]] = []
    var looks = 0
}

/// An agent that answers each path with the bytes it was given, or fails.
struct ScriptedAgent: AgentClient {
    let transcript: Transcript
    let answer: (String) throws -> [UInt8]

    func get(_ path: String) throws -> [UInt8] {
        transcript.askedPaths.append(path)
        return try answer(path)
    }
}

/// Runs one command line against a scripted agent.
func run(
    _ arguments: String..., environment: [String: String] = [:], isTerminal: Bool = false, looks: Int = 0,
    keeper: KeeperView? = nil, files: [String: String] = [:],
    answer: @escaping (String) throws -> [UInt8] = { _ in throw CommandError(.unreachable, "nobody there") }
) -> (status: Int32, transcript: Transcript) {
    run(
        arguments, environment: environment, isTerminal: isTerminal, looks: looks, keeper: keeper, files: files,
        answer: answer)
}

/// As above, with the arguments as a list.
func run(
    _ arguments: [String], environment: [String: String] = [:], isTerminal: Bool = false, looks: Int = 0,
    keeper: KeeperView? = nil, files: [String: String] = [:],
    answer: @escaping (String) throws -> [UInt8] = { _ in throw CommandError(.unreachable, "nobody there") }
) -> (status: Int32, transcript: Transcript) {
    let transcript = Transcript()
    let console = Console(
        write: { transcript.output += $0 },
        writeError: { transcript.errors += $0 },
        isTerminal: isTerminal,
        environment: environment,
        hostName: { "node-a" },
        makeClient: { path in
            transcript.askedSockets.append(path)
            return ScriptedAgent(transcript: transcript, answer: answer)
        },
        pause: { _ in
            transcript.looks += 1
            return transcript.looks <= looks
        },
        readKeeper: { path in
            transcript.askedKeepers.append(path)
            return keeper
        },
        readFile: { files[$0] },
        now: { at("14:02:11") },
        processes: Console.Processes(
            agent: {
                transcript.agents.append($0); return 7
            },
            worker: {
                transcript.children.append(["worker"] + $0); return 8
            },
            embeddedController: {
                transcript.children.append(["embedded-controller"] + $0); return 9
            },
            subscriber: {
                transcript.children.append(["subscriber"] + $0); return 10
            },
            controller: {
                transcript.controllers.append($0); return 11
            })
    )
    return (Program.run(arguments, on: console), transcript)
}

/// The bytes that an agent sends for `report`.
func encoded(_ report: some Report) throws -> [UInt8] { Array(try JSONEncoder().encode(report)) }

/// A moment on the day of all golden tests.
func at(_ time: String) -> Timestamp { Timestamp("2026-11-22T\(time)Z")! }

extension StatusReport {
    /// A mesh where all is well.
    static let healthy = StatusReport(
        version: "0.1.0", trustDomain: "cluster.local", time: at("14:02:11"), node: "node-a", verdict: .ok,
        controller: ControllerStatus(
            state: .connected, manifests: "/etc/mesh", snapshotVersion: 4182, snapshotAgeSeconds: 3, workloads: 12),
        certificateAuthority: AuthorityStatus(
            state: .ok, rootExpires: Timestamp("2027-11-03T00:00:00Z"),
            issuerExpires: Timestamp("2026-12-21T00:00:00Z"),
            roots: 1, certificates: 18, validCertificates: 18),
        agent: AgentStatus(
            isReady: true, keeper: ProcessStatus(pid: 41, residentBytes: 12 << 20),
            worker: ProcessStatus(pid: 42, residentBytes: 22 << 20, restarts: 0), loops: 2, configurationVersion: 4182,
            exemptionMode: .cgroup, captureRepairs: 0),
        pods: PodsStatus(enrolled: 41, captured: 41, connectionsBeforeEnrolment: 0),
        traffic: TrafficStatus(
            opened: 246_000, mutualTLS: 245_988, plaintext: 12, denied: 31, failed: 0, open: 2210))

    /// A mesh where much is not.
    static let degraded = {
        var report = StatusReport.healthy
        report.verdict = .degraded
        report.controller.state = .lost
        report.agent.isReady = false
        report.agent.notReadyReason = "no certificate for shop/web"
        report.agent.worker.residentBytes = nil
        report.certificateAuthority.validCertificates = 17
        report.pods.captured = 40
        report.pods.failed = [.init(pod: "shop/legacy-7f", reason: "no network namespace owns 10.1.2.3")]
        report.traffic = TrafficStatus(windowSeconds: 12)
        report.problems = [
            Problem(
                code: .controllerDown, severity: .error, object: "node-a", cause: "the controller is not running",
                effect: "the last configuration stays in force, changes wait",
                tryCommand: "journalctl -u meshnode"),
            Problem(
                code: .issuerExpiresSoon, severity: .warning, object: "CA", cause: "issuer certificate expires in 28d",
                tryCommand: "meshnode certificates"),
        ]
        report.manifestProblems = [
            ManifestProblem(
                file: "pay.yaml", line: 12, field: "spec.rules[0].from[0].source.principals",
                object: "AuthorizationPolicy pay/api", reason: "expected a list of strings, found a string",
                severity: .error)
        ]
        return report
    }()
}
