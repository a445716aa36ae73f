internal import Identity
internal import Keeper
internal import Kernel
internal import Mesh
internal import Proxy
internal import Telemetry
internal import XDS

extension WorkerProcess {
    /// When a report is true.
    var time: Timestamp { Timestamp(secondsSince1970: WallClock.secondsSince1970) }

    var statusReport: StatusReport {
        let standing = standingProblems
        let problems = standing.all
        let manifests = manifestProblems
        return StatusReport(
            version: MeshnodeVersion.current, trustDomain: configuration.trustDomain, time: time,
            node: configuration.node,
            verdict: .init(problems, manifests, isReady: notReadyReason == nil),
            controller: controllerStatus(isDialling: standing.isDialling),
            certificateAuthority: authorityStatus, agent: agentStatus,
            pods: podsStatus, traffic: trafficStatus, problems: problems, manifestProblems: manifests)
    }

    private func controllerStatus(isDialling: Bool) -> ControllerStatus {
        ControllerStatus(
            state: controllerTrouble == nil ? .connected : hasSnapshot && !isDialling ? .lost : .connecting,
            source: configuration.isControllerElsewhere ? configuration.controllerPlace : "embedded",
            manifests: configuration.isControllerElsewhere ? "" : configuration.controllerPlace,
            snapshotVersion: controllerVersion,
            snapshotAgeSeconds: snapshotAge?.components.seconds, workloads: snapshot.workloadCount,
            services: snapshot.serviceCount, policies: snapshot.policyCount)
    }

    private var authorityStatus: AuthorityStatus {
        guard let report = controllerReport, !report.authority.isEmpty else { return AuthorityStatus() }
        let roots = report.authority.filter { $0.role == .root }
        let issuer = report.authority.first { $0.role == .issuer }
        let failing = certificateStatuses.first { $0.lastError != nil }
        return AuthorityStatus(
            state: failing == nil ? .ok : .failing,
            rootExpires: roots.map(\.notAfter).min().map(Timestamp.init(secondsSince1970:)),
            issuerExpires: (issuer?.notAfter).map(Timestamp.init(secondsSince1970:)), roots: roots.count,
            certificates: certificateStatuses.count,
            validCertificates: certificateStatuses.count { $0.state != .unavailable },
            reason: failing.flatMap(\.lastError) ?? "")
    }

    private var agentStatus: AgentStatus {
        AgentStatus(
            isReady: notReadyReason == nil, notReadyReason: notReadyReason ?? "",
            keeper: ProcessStatus(
                pid: keeperFacts.map { Int32(clamping: $0.keeperPID) },
                residentBytes: keeperFacts.map { Int64(clamping: $0.keeperResidentBytes) }),
            worker: ProcessStatus(
                pid: CurrentProcess.pid, residentBytes: CurrentProcess.residentBytes().map(Int64.init),
                started: Timestamp(secondsSince1970: started), restarts: keeperFacts.map { Int($0.workerRestarts) }),
            controller: ProcessStatus(restarts: keeperFacts.map { Int($0.controllerRestarts) }),
            loops: runners.count, configurationVersion: controllerVersion,
            exemptionMode: keeperFacts.map { $0.exemption == .cgroup ? .cgroup : .mark } ?? .unknown,
            captureRepairs: pods.values.reduce(0) { $0 + Int($1.repairs) })
    }

    private var podsStatus: PodsStatus {
        func missing(_ state: PodState) -> [PodsStatus.Missing] {
            pods.values.filter { $0.state == state }
                .map { PodsStatus.Missing(pod: snapshot.shortName($0.uid), reason: $0.detail) }
                .sorted { $0.pod < $1.pod }
        }
        return PodsStatus(
            enrolled: pods.count, captured: pods.values.count { $0.state == .captured }, pending: missing(.pending),
            failed: missing(.failed),
            connectionsBeforeEnrolment: pods.values.reduce(0) { $0 + Int($1.uncapturedConnections) })
    }

    private var trafficStatus: TrafficStatus {
        let recent = telemetry.traffic.recent(telemetry.journal.total)
        return TrafficStatus(
            windowSeconds: 60, opened: recent.openedWithMutualTLS + recent.openedInPlaintext,
            mutualTLS: recent.openedWithMutualTLS, plaintext: recent.openedInPlaintext, denied: recent.denied,
            failed: recent.failed, sentBytes: recent.sentBytes, receivedBytes: recent.receivedBytes,
            open: telemetry.journal.total.open)
    }

    var manifestProblems: [Agent.ManifestProblem] {
        (controllerReport?.problems ?? []).map { ManifestProblem($0) }
    }

    private var standingProblems: StandingProblems {
        StandingProblems(
            node: configuration.node, now: WallClock.secondsSince1970, workerStarted: started,
            controllerTrouble: controllerTrouble, hasReachedController: hasReachedController,
            hasSnapshot: hasSnapshot, snapshot: snapshot,
            pods: Array(pods.values), keeper: keeperFacts, certificates: certificateStatuses,
            expired: expiredIdentities, authority: controllerReport?.authority ?? [],
            clockProblem: clockProblem, edges: telemetry.edges.edges, flows: telemetry.flows.latest)
    }
}

extension StatusReport.Verdict {
    /// Errors degrade the mesh; warnings do not.
    init(_ problems: [Problem], _ manifests: [ManifestProblem], isReady: Bool) {
        let hasErrors = problems.contains { $0.severity == .error } || manifests.contains { $0.severity == .error }
        self = hasErrors ? .degraded : isReady ? .ok : .starting
    }
}

extension MeshSnapshot {
    /// `namespace/name` of a workload that is known, else its whole name.
    func shortName(_ uid: WorkloadUID) -> String {
        workload(uid).map { "\($0.namespace)/\($0.name)" } ?? uid.text
    }
}
