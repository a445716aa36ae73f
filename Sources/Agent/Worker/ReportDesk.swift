internal import Kernel
internal import NIOHTTP1
internal import Synchronization
internal import Telemetry

/// Answers the admin socket: takes the facts on the control loop and writes them as JSON.
final class ReportDesk: @unchecked Sendable {
    // @unchecked: `worker` is touched only by closures that run on its control loop.
    private let worker: WorkerProcess
    /// Asks the controller for the whole mesh; nil if nobody can be asked.
    private let askController: MeshQuestion?

    /// - Parameter askController: called on the control loop.
    init(_ worker: WorkerProcess, askController: MeshQuestion? = nil) {
        self.worker = worker
        self.askController = askController
    }

    func answer(_ target: AdminTarget, _ complete: @escaping @Sendable (AdminResponse) -> Void) {
        switch target.path {
        case VersionReport.path: complete(Self.json(VersionReport.current))
        case StatusReport.path: onControlLoop(complete) { $0.statusReport }
        case WorkloadsReport.path: withConnections(complete) { $0.workloadsReport(open: $1) }
        case ConnectionsReport.path: withConnections(complete) { $0.connectionsReport(open: $1) }
        case CertificatesReport.path: onControlLoop(complete) { $0.certificatesReport }
        case PoliciesReport.path: onControlLoop(complete) { $0.policiesReport }
        case ServicesReport.path: onControlLoop(complete) { $0.servicesReport }
        case MeshStatusReport.path, "/mesh": withMesh(complete) { Self.json(MeshStatusReport($0.meshOutlook($1))) }
        case EdgesReport.path:
            withMesh(complete) { Self.json($0.edgesReport($1, isLocal: target.query["local"] != nil)) }
        case DiffReport.path: withMesh(complete) { Self.json($0.diffReport($0.meshOutlook($1).nodes)) }
        case ExplainReport.path: withMesh(complete) { Self.explanation($0, target.query, $1) }
        default: complete(Self.json(ErrorReport(message: "no report at \(target.path)"), status: .notFound))
        }
    }

    func answerReadiness(_ path: String, _ complete: @escaping @Sendable (AdminResponse) -> Void) {
        guard path == "/healthz/ready" else { return complete(.text(.notFound, "readiness is at /healthz/ready")) }
        worker.loop.post { [self] in
            if let reason = worker.notReadyReason {
                complete(.text(.internalServerError, "not ready, pending: \(reason)"))
            } else {
                complete(.text(.ok, "ready"))
            }
        }
    }

    private static func explanation(
        _ worker: WorkerProcess, _ query: [String: String], _ answer: MeshAnswer
    ) -> AdminResponse {
        do throws(ExplainError) {
            return json(try worker.explain(query, worker.meshOutlook(answer).nodes))
        } catch {
            // The question is wrong, not the agent.
            return json(ErrorReport(message: error.description), status: .badRequest)
        }
    }

    private func onControlLoop(
        _ complete: @escaping @Sendable (AdminResponse) -> Void,
        _ make: @escaping @Sendable (WorkerProcess) -> some Report
    ) {
        worker.loop.post { [self] in complete(Self.json(make(worker))) }
    }

    /// As `onControlLoop`, with what the controller knows of all nodes.
    private func withMesh(
        _ complete: @escaping @Sendable (AdminResponse) -> Void,
        _ make: @escaping @Sendable (WorkerProcess, MeshAnswer) -> AdminResponse
    ) {
        worker.loop.post { [self] in
            guard let askController else {
                return complete(make(worker, .unreachable("this agent cannot ask a controller for other nodes")))
            }
            askController { [self] answer in
                worker.loop.post { [self] in complete(make(worker, answer)) }
            }
        }
    }

    /// As `onControlLoop`, with the open connections of all loops.
    private func withConnections(
        _ complete: @escaping @Sendable (AdminResponse) -> Void,
        _ make: @escaping @Sendable (WorkerProcess, [ConnectionRecord]) -> some Report
    ) {
        let gathered = Gathered()
        let countdown = Countdown(worker.runners.count) { [self] in
            worker.loop.post { [self] in complete(Self.json(make(worker, gathered.all))) }
        }
        for runner in worker.runners {
            runner.openConnections { records in
                gathered.add(records)
                countdown.countDown()
            }
        }
    }

    private static func json(_ report: some Encodable, status: AdminStatus = .ok) -> AdminResponse {
        AdminResponse(status: status, contentType: "application/json", body: ReportCoding.encode(report))
    }
}

/// Records of several loops, put together.
private final class Gathered: Sendable {
    private let records = Mutex<[ConnectionRecord]>([])

    func add(_ more: [ConnectionRecord]) {
        records.withLock { $0 += more }
    }

    var all: [ConnectionRecord] { records.withLock { $0.sorted { $0.id < $1.id } } }
}
