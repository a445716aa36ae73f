internal import Identity
internal import Keeper
internal import Mesh
internal import Telemetry
internal import XDS

/// What is wrong on this node now, out of the facts that its worker has. A value, so that each problem can be tested
/// without a process.
struct StandingProblems {
    var node: String
    /// Seconds since 1970, as everything here that is a time.
    var now: Int64
    /// When this worker was started.
    var workerStarted: Int64
    /// Why the controller is not heard of; nil if it is.
    var controllerTrouble: String?
    /// Whether this worker has heard it before.
    var hasReachedController = false
    var hasSnapshot = true
    var snapshot = MeshSnapshot()
    var pods: [PodReport] = []
    var keeper: KeeperFacts?
    var certificates: [CertificateStatus] = []
    /// Identities whose certificate ran out before another came.
    var expired: Set<SPIFFEID> = []
    var authority: [ControllerReport.AuthorityCertificate] = []
    /// What is wrong with this node's clock; nil if nothing seems to be.
    var clockProblem: String?
    /// Who talked to whom.
    var edges: [Edge] = []
    /// The last decisions, the latest first.
    var flows: [Flow] = []

    /// Errors first.
    var all: [Problem] {
        let problems =
            processProblems + podProblems + authorityProblems + certificateProblems + meshProblems + trafficProblems
        return problems.filter { $0.severity == .error } + problems.filter { $0.severity == .warning }
    }

    /// A start takes milliseconds; after this long without configuration it has failed.
    private static let configurationDeadline: Int64 = 10
    /// A restart is told for this long, in seconds: until people who look because of it have seen it.
    private static let restartIsNews: Int64 = 900

    /// A worker that goes on with what its predecessor knew has dialled by then, in seconds.
    private static let diallingTime: Int64 = 3

    /// Whether the controller is not there yet because this worker has only just begun, as after an upgrade.
    var isDialling: Bool {
        controllerTrouble != nil && !hasReachedController && now - workerStarted <= Self.diallingTime
    }

    private var processProblems: [Problem] {
        var problems: [Problem] = []
        if !hasSnapshot {
            let isLate = now - workerStarted > Self.configurationDeadline
            if isLate || controllerTrouble != nil { problems.append(configurationMissing) }
        } else if let controllerTrouble, !isDialling {
            problems.append(controllerDown(controllerTrouble))
        }
        if let clockProblem {
            problems.append(
                Problem(
                    code: .clockSkew, severity: .warning, object: node, cause: clockProblem,
                    effect: "certificates look expired or not yet valid here", tryCommand: "timedatectl"))
        }
        guard let keeper else { return problems }
        if !keeper.handover.words.isEmpty {
            problems.append(
                Problem(
                    code: .handOverUnderWay, severity: .warning, object: node, cause: keeper.handover.words,
                    effect: "none: connections go on, new ones are served", tryCommand: "meshnode status -w"))
        }
        if keeper.workerRestarts > 0, now - workerStarted < Self.restartIsNews {
            problems.append(
                Problem(
                    code: .workerRestarted, severity: .warning, object: node,
                    cause:
                        "the worker was started again \(now - workerStarted) s ago"
                        + (keeper.workerRestarts > 1 ? ", \(keeper.workerRestarts) times in all" : ""),
                    effect: "the connections that it carried were reset", tryCommand: "look at the agent's log"))
        }
        if keeper.exemption == .mark {
            problems.append(
                Problem(
                    code: .exemptionByMark, severity: .warning, object: node,
                    cause: "no cgroup v2 for the agent, so its sockets are known by their mark",
                    effect: "a container with CAP_NET_RAW can bypass the mesh",
                    tryCommand: "mount cgroup v2 on the node"))
        }
        return problems
    }

    private var configurationMissing: Problem {
        Problem(
            code: .configurationMissing, severity: .error, object: node,
            cause: controllerTrouble ?? "the controller has not sent the first configuration",
            effect: "captured connections are refused", tryCommand: "look at the agent's log")
    }

    private func controllerDown(_ cause: String) -> Problem {
        Problem(
            code: .controllerDown, severity: .error, object: node, cause: cause,
            effect: "traffic goes on as configured last; no change takes effect", tryCommand: "look at the agent's log")
    }
}
