import Keeper
import Mesh
import Resources
import Telemetry
import TestSupport
import Testing
import XDS

@testable import Agent
@testable import Identity

@Suite struct `What is wrong on a node` {
    private var facts = StandingProblems(node: "node-a", now: 1_000_000, workerStarted: 900_000)

    private static func keeper(restarts: UInt32 = 0, exemption: Keeper.ExemptionMode = .cgroup) -> KeeperFacts {
        KeeperFacts(
            exemption: exemption, keeperPID: 1, keeperResidentBytes: 1, workerRestarts: restarts, controllerRestarts: 0)
    }

    private static func certificate(
        _ state: CertificateStatus.State, error: String? = nil, identity: SPIFFEID = Samples.web
    ) -> CertificateStatus {
        CertificateStatus(
            identity: identity, state: state, notBefore: nil, notAfter: nil, serial: nil, nextRequest: nil,
            lastError: error)
    }

    private var codes: [String] { facts.all.map(\.code.rawValue) }
    private var severities: [Problem.Severity] { facts.all.map(\.severity) }

    @Test mutating func `is nothing when all is well`() {
        facts.keeper = Self.keeper()
        facts.pods = [PodReport(uid: Samples.uid("a"), state: .captured)]
        facts.certificates = [Self.certificate(.valid)]
        facts.snapshot = MeshSnapshot([.policyUpserted(Samples.policy("p", .deny))])
        #expect(facts.all.isEmpty)
    }

    @Test mutating func `is a restart of the worker, for a quarter of an hour, as a warning`() {
        facts.keeper = Self.keeper(restarts: 2)
        facts.workerStarted = facts.now - 899
        #expect(codes == ["MN2002"])
        #expect(severities == [.warning])
        facts.workerStarted = facts.now - 900
        #expect(facts.all.isEmpty)
        facts.workerStarted = facts.now
        facts.keeper = Self.keeper(restarts: 0)
        #expect(facts.all.isEmpty, "the first start is no restart")
    }

    @Test mutating func `is a controller that went away`() {
        facts.controllerTrouble = "the controller does not answer"
        #expect(codes == ["MN2004"])
        #expect(severities == [.error])
        #expect(!facts.isDialling)
    }

    @Test mutating func `is not a controller that a worker which has just begun still dials`() {
        facts.controllerTrouble = "the controller's process on this node does not answer"
        facts.workerStarted = facts.now - 3
        #expect(facts.all.isEmpty)
        #expect(facts.isDialling)
        facts.workerStarted = facts.now - 4
        #expect(codes == ["MN2004"])
        facts.workerStarted = facts.now
        facts.hasReachedController = true
        #expect(codes == ["MN2004"], "it was there and went away")
    }

    @Test mutating func `is configuration that does not come, once a start has had its time`() {
        facts.hasSnapshot = false
        facts.workerStarted = facts.now - 10
        #expect(facts.all.isEmpty)
        facts.workerStarted = facts.now - 11
        #expect(codes == ["MN2005"])
        #expect(severities == [.error])
        facts.workerStarted = facts.now
        facts.controllerTrouble = "the join token was used already"
        #expect(codes == ["MN2005"], "a cause that is known is told at once")
    }

    @Test mutating func `is an exemption that pods can forge`() {
        facts.keeper = Self.keeper(exemption: .mark)
        #expect(codes == ["MN3004"])
        #expect(severities == [.warning])
    }

    @Test(arguments: [
        (PodReport(uid: Samples.uid("a"), state: .pending), "MN3001", Problem.Severity.warning),
        (PodReport(uid: Samples.uid("a"), state: .failed), "MN3002", .error),
        (PodReport(uid: Samples.uid("a"), state: .captured, repairs: 1), "MN3003", .warning),
        (PodReport(uid: Samples.uid("a"), state: .captured, uncapturedConnections: 2), "MN3005", .warning),
    ])
    mutating func `is a pod that is not captured as it should be`(
        report: PodReport, code: String, severity: Problem.Severity
    ) {
        facts.pods = [report]
        facts.snapshot = MeshSnapshot([.workloadUpserted(Samples.workload("a", "10.0.0.1"))])
        #expect(codes == [code])
        #expect(severities == [severity])
        #expect(facts.all.map(\.object) == ["shop/a"])
    }

    @Test mutating func `names a pod that is not known by its whole name`() {
        facts.pods = [PodReport(uid: Samples.uid("a"), state: .failed, detail: "why")]
        #expect(facts.all.map(\.object) == ["Kubernetes//Pod/shop/a"])
        #expect(facts.all.map(\.cause) == ["why"])
    }

    @Test mutating func `is a certificate that was refused, but not one that was only just asked for`() {
        facts.certificates = [Self.certificate(.unavailable)]
        #expect(facts.all.isEmpty)
        facts.certificates = [Self.certificate(.unavailable, error: "no pod here")]
        #expect(codes == ["MN4001"])
        #expect(severities == [.error])
        facts.certificates = [Self.certificate(.renewing, error: "no pod here")]
        #expect(codes == ["MN4003"])
        #expect(severities == [.warning])
    }

    @Test mutating func `is a certificate that expired, whether or not its renewal failed`() {
        facts.expired = [Samples.web]
        facts.certificates = [Self.certificate(.unavailable), Self.certificate(.valid, identity: Samples.api)]
        #expect(codes == ["MN4002"])
        facts.certificates = [Self.certificate(.unavailable, error: "down")]
        #expect(codes == ["MN4002"])
        #expect(facts.all.first?.cause == "the certificate has expired and cannot be renewed: down")
    }

    @Test(arguments: [
        (ControllerReport.AuthorityCertificate.Role.issuer, Int64(30 * 86_400), []),
        (.issuer, 30 * 86_400 - 1, ["MN4007"]), (.issuer, 0, ["MN4007"]), (.issuer, -1, ["MN4002"]),
        (.root, 86_400, []), (.root, -1, ["MN4002"]),
    ])
    mutating func `is an authority whose certificates end`(
        role: ControllerReport.AuthorityCertificate.Role, remaining: Int64, expected: [String]
    ) {
        facts.authority = [
            .init(role: role, subject: "mesh", serial: "1", notBefore: 0, notAfter: facts.now + remaining)
        ]
        #expect(codes == expected)
    }

    @Test mutating func `is a policy that only a waypoint could ask about`() {
        facts.snapshot = MeshSnapshot([
            .policyUpserted(Samples.policy("ask", .custom)), .policyUpserted(Samples.policy("log", .audit)),
        ])
        #expect(codes == ["MN1005"])
        #expect(facts.all.first?.object == "AuthorizationPolicy shop/ask")
    }

    @Test mutating func `is a service without a healthy endpoint, as a warning`() {
        let names = ["empty", "sick", "sick-but-published", "well"].map { Samples.service($0).name }
        facts.snapshot = MeshSnapshot([
            .serviceUpserted(Samples.service("empty")), .serviceUpserted(Samples.service("sick")),
            .serviceUpserted(Samples.service("sick-but-published", publishesNotReady: true)),
            .serviceUpserted(Samples.service("well")),
            .workloadUpserted(
                Samples.workload("a", "10.0.0.1", services: [names[1], names[2]], isHealthy: false)),
            .workloadUpserted(Samples.workload("b", "10.0.0.2", services: [names[3]])),
        ])
        #expect(facts.all.map(\.object) == ["Service shop/empty", "Service shop/sick"])
        #expect(codes == ["MN5001", "MN5001"])
        #expect(severities == [.warning, .warning])
    }

    @Test(arguments: [(20, 20), (21, 20), (500, 20)])
    mutating func `does not become a list without end`(services: Int, lines: Int) {
        facts.snapshot = MeshSnapshot((0..<services).map { .serviceUpserted(Samples.service("s\($0)")) })
        #expect(facts.all.count == lines)
        if services > lines { #expect(facts.all.last?.object == "\(services - 19) more services") }
    }

    @Test mutating func `has the errors first`() {
        facts.keeper = Self.keeper(restarts: 1, exemption: .mark)
        facts.workerStarted = facts.now - 4
        facts.controllerTrouble = "the controller does not answer"
        facts.certificates = [Self.certificate(.unavailable, error: "no")]
        #expect(severities == [.error, .error, .warning, .warning])
    }
}

@Suite struct `The verdict` {
    private static func problem(_ severity: Problem.Severity) -> Problem {
        Problem(code: .workerRestarted, severity: severity, object: "x", cause: "y")
    }

    private static func manifest(_ severity: Problem.Severity) -> Agent.ManifestProblem {
        ManifestProblem(file: "a.yaml", line: 1, reason: "z", severity: severity)
    }

    @Test func `is degraded by errors only`() {
        #expect(StatusReport.Verdict([], [], isReady: true) == .ok)
        #expect(StatusReport.Verdict([Self.problem(.warning)], [Self.manifest(.warning)], isReady: true) == .ok)
        #expect(StatusReport.Verdict([Self.problem(.error)], [], isReady: true) == .degraded)
        #expect(StatusReport.Verdict([], [Self.manifest(.error)], isReady: true) == .degraded)
    }

    @Test func `is starting until the agent is ready, unless something is wrong`() {
        #expect(StatusReport.Verdict([Self.problem(.warning)], [], isReady: false) == .starting)
        #expect(StatusReport.Verdict([Self.problem(.error)], [], isReady: false) == .degraded)
    }

    @Test func `goes with a code for each manifest problem`() {
        #expect(Self.manifest(.error).code == .manifestRefused)
        #expect(Self.manifest(.warning).code == .manifestDoubtful)
    }

    @Test func `goes with a code of its own for each topic of a manifest's warning, and errors have theirs`() {
        func codes(_ severity: Resources.ManifestProblem.Severity) -> [ProblemCode] {
            Resources.ManifestProblem.Topic.allCases.map { topic in
                let found = Resources.ManifestProblem(file: "f", reason: "r", severity: severity, topic: topic)
                return ManifestProblem(ControllerReport.Problem(found)).code
            }
        }
        #expect(codes(.warning).map(\.rawValue) == ["MN1002", "MN1003", "MN1004", "MN1007", "MN1008"])
        #expect(Set(codes(.error)) == [.manifestRefused])
    }
}

@Suite struct `A standing problem of traffic` {
    private static let web = Samples.workload("web", "10.0.0.1")
    private var facts = StandingProblems(
        node: "node-a", now: 1_000, workerStarted: 0, snapshot: MeshSnapshot([.workloadUpserted(web)]))

    private static func edges(_ security: ConnectionRecord.Security, at second: Int64) -> [Edge] {
        let table = EdgeTable()
        _ = table.opened(
            ConnectionRecord(
                id: 1, direction: .inbound, security: security,
                source: PeerFacts(address: socketAddress("192.0.2.1:5")),
                destination: PeerFacts(address: socketAddress("10.0.0.1:80"), workload: web, identity: nil),
                openedAt: Moment(instant: .now, secondsSince1970: second)))
        return table.edges
    }

    @Test mutating func `is plaintext that a policy lets in, while it is news`() {
        facts.edges = Self.edges(.mutualTLS, at: 990)
        #expect(facts.all.isEmpty)
        facts.edges = Self.edges(.plaintext, at: 990)
        #expect(facts.all.map(\.code) == [.plaintextByPolicy])
        #expect(facts.all.first?.object == "shop/web")
        facts.edges = Self.edges(.plaintext, at: 50)
        #expect(facts.all.isEmpty)
    }

    @Test mutating func `is a dry run that would refuse what is there`() {
        let flow = Flow(
            facts: ConnectionFacts(
                source: nil, sourceAddress: ip("192.0.2.1"), destinationAddress: ip("10.0.0.1"), destinationPort: 80),
            destination: Self.web.uid, reason: nil, secondsSince1970: 990)
        facts.flows = [flow, flow]
        #expect(facts.all.isEmpty)
        var policy = Samples.policy("next", .deny)
        policy.isDryRun = true
        facts.snapshot.apply(.policyUpserted(policy))
        #expect(facts.all.map(\.code) == [.dryRunWouldDeny])
        #expect(facts.all.first?.cause.contains("2 of the last connections") == true)
    }

    @Test mutating func `is a policy with fields for a waypoint`() {
        var policy = Samples.policy("paths", .allow)
        policy.httpParts = [HTTPPart(rule: 0, isDropped: true, fields: ["to[].operation.paths"])]
        facts.snapshot.apply(.policyUpserted(policy))
        #expect(facts.all.map(\.code) == [.waypointMissing])
        #expect(facts.all.first?.cause.contains("to[].operation.paths") == true)
    }

    @Test mutating func `is a pod on its node's network beside enrolled ones`() {
        var host = Samples.workload("host", "10.9.9.9")
        host.isHostNetwork = true
        facts.snapshot.apply(.workloadUpserted(host))
        #expect(facts.all.map(\.code) == [.podNeverCaptured])
    }
}
