internal import Addressing
internal import Identity
internal import Keeper
internal import Kernel
internal import Mesh
internal import Proxy
internal import Telemetry
internal import XDS

extension WorkerProcess {
    private var time: Timestamp { Timestamp(secondsSince1970: WallClock.secondsSince1970) }

    // MARK: Status

    var statusReport: StatusReport {
        let problems = standingProblems
        let manifests = manifestProblems
        let hasErrors = problems.contains { $0.severity == .error } || manifests.contains { $0.severity == .error }
        let verdict: StatusReport.Verdict = hasErrors ? .degraded : notReadyReason == nil ? .ok : .starting
        return StatusReport(
            version: MeshnodeVersion.current, trustDomain: configuration.trustDomain, time: time,
            node: configuration.node,
            verdict: verdict, controller: controllerStatus, certificateAuthority: authorityStatus, agent: agentStatus,
            pods: podsStatus, traffic: trafficStatus, problems: problems, manifestProblems: manifests)
    }

    private var controllerStatus: ControllerStatus {
        ControllerStatus(
            state: isConnectedToController ? .connected : hasSnapshot ? .lost : .connecting,
            manifests: configuration.manifestDirectory, snapshotVersion: hasSnapshot ? snapshot.version : nil,
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
            loops: runners.count, configurationVersion: hasSnapshot ? snapshot.version : nil,
            exemptionMode: keeperFacts.map { $0.exemption == .cgroup ? .cgroup : .mark } ?? .unknown,
            captureRepairs: repairs)
    }

    private var repairs: Int { pods.values.reduce(0) { $0 + Int($1.repairs) } }

    private var podsStatus: PodsStatus {
        func missing(_ state: PodState) -> [PodsStatus.Missing] {
            pods.values.filter { $0.state == state }
                .map { PodsStatus.Missing(pod: shortName($0.uid), reason: $0.detail) }
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
            failed: recent.failed, sentBytes: recent.sentBytes, receivedBytes: recent.receivedBytes, open: nil)
    }

    // MARK: Problems

    private var manifestProblems: [Agent.ManifestProblem] {
        (controllerReport?.problems ?? []).map { problem in
            ManifestProblem(
                file: problem.file, line: problem.line, field: problem.field, object: problem.object,
                reason: problem.reason,
                severity: problem.severity == .error ? .error : .warning)
        }
    }

    private var standingProblems: [Problem] {
        var problems: [Problem] = []
        if !isConnectedToController, hasSnapshot {
            problems.append(
                Problem(
                    code: .controllerDown, severity: .error, object: configuration.node,
                    cause: "the controller does not answer",
                    effect: "traffic goes on as configured last; no change takes effect",
                    tryCommand: "look at the agent's log"))
        }
        for report in pods.values.sorted(by: { $0.uid < $1.uid }) { problems += podProblems(report) }
        for status in certificateStatuses where status.lastError != nil || status.state == .unavailable {
            problems.append(
                certificateProblem(
                    status.identity, status.state == .valid || status.state == .renewing, status.lastError))
        }
        if keeperFacts?.exemption == .mark {
            problems.append(
                Problem(
                    code: .exemptionByMark, severity: .warning, object: configuration.node,
                    cause: "no cgroup v2 for the agent, so its sockets are known by their mark",
                    effect: "a container with CAP_NET_RAW can bypass the mesh",
                    tryCommand: "mount cgroup v2 on the node"))
        }
        return problems
    }

    private func podProblems(_ report: PodReport) -> [Problem] {
        let name = shortName(report.uid)
        switch report.state {
        case .pending:
            return [
                Problem(
                    code: .namespaceNotFound, severity: .warning, object: name, cause: report.detail,
                    effect: "the pod's traffic is not captured yet",
                    tryCommand: "meshnode workloads -n \(namespace(report.uid))")
            ]
        case .failed:
            return [
                Problem(
                    code: .captureRefused, severity: .error, object: name, cause: report.detail,
                    effect: "the pod's traffic may not be captured", tryCommand: "look at the agent's log")
            ]
        case .captured, .withdrawn:
            guard report.uncapturedConnections > 0 else { return [] }
            return [
                Problem(
                    code: .connectionsBeforeEnrolment, severity: .warning, object: name,
                    cause: "\(report.uncapturedConnections) connections are older than its enrolment",
                    effect: "they stay in plaintext until they end", tryCommand: "restart the pod's clients")
            ]
        }
    }

    private func certificateProblem(_ identity: SPIFFEID, _ isUsable: Bool, _ error: String?) -> Problem {
        Problem(
            code: isUsable ? .renewalFailing : .certificateUnavailable, severity: isUsable ? .warning : .error,
            object: identity.description, cause: error ?? "the certificate was asked for and has not come",
            effect: isUsable ? "none until the present one expires" : "connections of its pods are refused",
            tryCommand: "meshnode certificates")
    }

    private func shortName(_ uid: WorkloadUID) -> String {
        snapshot.workload(uid).map { "\($0.namespace)/\($0.name)" } ?? uid.text
    }

    private func namespace(_ uid: WorkloadUID) -> String { snapshot.workload(uid)?.namespace ?? "?" }

    // MARK: Workloads

    func workloadsReport(open: [ConnectionRecord]) -> WorkloadsReport {
        var counts: [WorkloadUID: Int] = [:]
        for record in open {
            let local = record.direction == .outbound ? record.source.workload : record.destination.workload
            if let local { counts[local, default: 0] += 1 }
        }
        let certificates = Dictionary(certificateStatuses.map { ($0.identity, $0) }) { first, _ in first }
        let items = snapshot.workloads.map { workload in
            WorkloadsReport.Item(
                namespace: workload.namespace, name: workload.name, node: workload.node,
                addresses: workload.addresses.map(\.description), identity: workload.identity.description,
                protocol: workload.isEnrolled ? "HBONE" : "TCP", isHealthy: workload.isHealthy,
                capture: capture(of: workload),
                reason: pods[workload.uid]?.detail ?? "",
                connections: workload.node == configuration.node ? counts[workload.uid] ?? 0 : nil,
                certificateExpires: (certificates[workload.identity]?.notAfter).map(Timestamp.init(secondsSince1970:)),
                services: workload.services.keys.sorted().map(\.description),
                policies: snapshot.policies(for: workload).map(\.name.description))
        }
        return WorkloadsReport(
            time: time, node: configuration.node,
            items: items.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) })
    }

    private func capture(of workload: Workload) -> WorkloadsReport.Item.Capture {
        guard workload.isEnrolled else { return .none }
        guard workload.node == configuration.node else { return .remote }
        switch pods[workload.uid]?.state {
        case .captured: return .captured
        case .failed: return .failed
        case .pending, .withdrawn, nil: return .pending
        }
    }

    // MARK: Connections

    func connectionsReport(open: [ConnectionRecord]) -> ConnectionsReport {
        ConnectionsReport(
            time: time, node: configuration.node, live: open.map(ConnectionsReport.Live.init),
            refused: telemetry.refusals.latest.map(ConnectionsReport.Refused.init))
    }

    // MARK: Certificates

    var certificatesReport: CertificatesReport {
        let authority = (controllerReport?.authority ?? []).map { item in
            CertificatesReport.Item(
                role: item.role == .root ? .root : .issuer, subject: item.subject, serial: item.serial,
                state: state(notBefore: item.notBefore, notAfter: item.notAfter),
                notBefore: Timestamp(secondsSince1970: item.notBefore),
                notAfter: Timestamp(secondsSince1970: item.notAfter))
        }
        let local = snapshot.workloads.filter { $0.node == configuration.node && $0.isEnrolled }
        let workloads = certificateStatuses.map { status in
            CertificatesReport.Item(
                role: .workload, subject: status.identity.description, serial: status.serial ?? "",
                state: state(of: status),
                notBefore: status.notBefore.map(Timestamp.init(secondsSince1970:)),
                notAfter: status.notAfter.map(Timestamp.init(secondsSince1970:)),
                renewal: status.nextRequest.map(Timestamp.init(secondsSince1970:)),
                pods: local.count { $0.identity == status.identity }, reason: status.lastError ?? "")
        }
        return CertificatesReport(time: time, node: configuration.node, items: authority + workloads)
    }

    private func state(notBefore: Int64, notAfter: Int64) -> CertificatesReport.Item.State {
        let now = WallClock.secondsSince1970
        return now > notAfter ? .expired : now < notBefore ? .notYetValid : .valid
    }

    private func state(of status: CertificateStatus) -> CertificatesReport.Item.State {
        switch status.state {
        case .unavailable: .missing
        case .valid: .valid
        case .renewing: status.lastError == nil ? .valid : .renewalFailing
        }
    }

    // MARK: Policies

    var policiesReport: PoliciesReport {
        let local = snapshot.workloads.filter { $0.node == configuration.node && $0.isEnrolled }
        let items = snapshot.policies.map { policy in
            PoliciesReport.Item(
                namespace: policy.name.namespace, name: policy.name.name,
                kind: policy.origin == .peerAuthentication ? "PeerAuthentication" : "AuthorizationPolicy",
                action: policy.origin == .peerAuthentication ? "STRICT" : policy.action.rawValue.uppercased(),
                scope: PoliciesReport.Item.Scope(policy.scope), rules: policy.rules.count,
                pods: local.count { snapshot.policies(for: $0).contains { $0.name == policy.name } },
                isDryRun: policy.isDryRun)
        }
        return PoliciesReport(time: time, node: configuration.node, items: items)
    }
}

extension PoliciesReport.Item.Scope {
    fileprivate init(_ scope: AuthorizationPolicy.Scope) {
        self =
            switch scope {
            case .mesh: .mesh
            case .namespace: .namespace
            case .workload: .workload
            }
    }
}

extension ConnectionsReport.End {
    fileprivate init(_ facts: PeerFacts) {
        self.init(
            address: facts.address?.description ?? "", workload: facts.name.isEmpty ? nil : facts.name,
            namespace: facts.namespace.isEmpty ? nil : facts.namespace, identity: facts.identity?.description)
    }
}

extension ConnectionsReport.Live {
    fileprivate init(_ record: ConnectionRecord) {
        self.init(
            id: String(record.id), direction: record.direction == .outbound ? .outbound : .inbound,
            source: .init(record.source), destination: .init(record.destination), service: record.service?.description,
            security: record.security == .mutualTLS ? .mutualTLS : .plaintext,
            opened: Timestamp(secondsSince1970: record.openedAt.secondsSince1970), sentBytes: record.bytesSent,
            receivedBytes: record.bytesReceived, policy: record.policy?.description)
    }
}

extension ConnectionsReport.Refused {
    fileprivate init(_ record: ConnectionRecord) {
        self.init(
            id: String(record.id),
            time: Timestamp(secondsSince1970: (record.closedAt ?? record.openedAt).secondsSince1970),
            direction: record.direction == .outbound ? .outbound : .inbound, source: .init(record.source),
            destination: .init(record.destination), service: record.service?.description,
            reason: record.reason?.rawValue ?? "", policies: record.policy.map { [$0.description] } ?? [],
            detail: record.detail ?? "")
    }
}

extension VersionReport {
    static var current: VersionReport { VersionReport(version: MeshnodeVersion.current) }
}
