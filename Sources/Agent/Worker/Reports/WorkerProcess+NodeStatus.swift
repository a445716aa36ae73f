internal import Addressing
internal import Mesh
internal import Telemetry
internal import XDS

extension NodeStatus {
    /// What `worker` has to say of its node now; on its control loop. Costs the node's size, not the mesh's, so that it
    /// can be sent every few seconds.
    static func current(_ worker: WorkerProcess) -> NodeStatus {
        let report = worker.statusReport
        var status = NodeStatus(
            time: report.time, node: report.node, version: report.version, isReady: report.agent.isReady)
        status.notReadyReason = report.agent.notReadyReason
        status.pods = report.pods
        status.certificates = report.certificateAuthority.certificates
        status.validCertificates = report.certificateAuthority.validCertificates
        status.configurationVersion = worker.controllerVersion
        status.configurationAgeSeconds = report.controller.snapshotAgeSeconds
        status.workerRestarts = report.agent.worker.restarts
        status.residentBytes = report.agent.residentBytes
        status.traffic = report.traffic
        status.problems = report.problems
        status.refusals = worker.latestRefusals(NodeStatus.Limit.refusals)
        status.edges = worker.edges
        return status.bounded
    }

    /// The bytes of a `NodeReport`.
    package var json: [UInt8] { ReportCoding.encode(self) }
}

extension AgentStatus {
    /// Keeper and worker together, in bytes; nil unless both are known.
    package var residentBytes: UInt64? {
        guard let keeper = keeper.residentBytes, let worker = worker.residentBytes else { return nil }
        return UInt64(max(0, keeper)) &+ UInt64(max(0, worker))
    }
}

extension WorkerProcess {
    /// The controller's version of the configuration in force. Its report comes after the resources that it speaks of, on
    /// one stream, so what it names has arrived.
    var controllerVersion: UInt64? {
        guard hasSnapshot else { return nil }
        return controllerReport.flatMap { UInt64($0.snapshotVersion) }
    }

    func latestRefusals(_ count: Int) -> [ConnectionsReport.Refused] {
        telemetry.refusals.latest.prefix(count).reversed().map(ConnectionsReport.Refused.init)
    }

    /// Who talked to whom of late, the busiest first, as far as this node saw it.
    var edges: [EdgesReport.Edge] {
        let all = telemetry.edges.edges
        let sides = [ConnectionRecord.Direction.outbound, .inbound].flatMap { side in
            EdgesReport.Edge.summed(
                all.filter { $0.key.direction == side }.map { EdgesReport.Edge($0, node: configuration.node) })
        }
        return EdgesReport.Edge.merged(sides)
            .sorted { ($0.refused, $0.opened) > ($1.refused, $1.opened) }
    }

    /// The mesh as far as it is known: what the controller answered, and this node's own state in place of what the
    /// controller has of it, which is older.
    func meshOutlook(_ answer: MeshAnswer) -> MeshOutlook {
        let own = NodeAccount(
            node: configuration.node, status: NodeStatus.current(self), ageInMilliseconds: 0, isConnected: true)
        var outlook = MeshOutlook(
            time: time, answeredBy: configuration.node, trustDomain: configuration.trustDomain, accounts: [own],
            controller: nil)
        switch withCause(answer) {
        case .answered(let accounts, let facts):
            outlook.accounts += accounts.filter { $0.node != configuration.node }
            outlook.controller = facts
            if facts == nil { outlook.controllerFailure = "the controller's answer cannot be read" }
        case .unreachable(let cause):
            outlook.controllerFailure = cause
            outlook.knownNodes = snapshot.expectedNodes
        }
        return outlook
    }
}

extension MeshSnapshot {
    /// The nodes that have enrolled pods. Costs the mesh's size.
    var expectedNodes: [ControllerFacts.ExpectedNode] {
        var counts: [String: Int] = [:]
        for workload in workloads where workload.isEnrolled && !workload.node.isEmpty {
            counts[workload.node, default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map {
            ControllerFacts.ExpectedNode(node: $0.key, enrolledPods: $0.value)
        }
    }
}
