internal import FoundationEssentials
internal import Kernel
internal import NIOHTTP1
internal import Synchronization
internal import Telemetry

/// Answers the admin socket: takes the facts on the control loop and writes them as JSON.
final class ReportDesk: @unchecked Sendable {
    // @unchecked: `worker` is touched only by closures that run on its control loop.
    private let worker: WorkerProcess

    init(_ worker: WorkerProcess) {
        self.worker = worker
    }

    func answer(_ path: String, _ complete: @escaping @Sendable (AdminResponse) -> Void) {
        switch path {
        case VersionReport.path: complete(Self.json(VersionReport.current))
        case StatusReport.path: onControlLoop(complete) { $0.statusReport }
        case WorkloadsReport.path: withConnections(complete) { $0.workloadsReport(open: $1) }
        case ConnectionsReport.path: withConnections(complete) { $0.connectionsReport(open: $1) }
        case CertificatesReport.path: onControlLoop(complete) { $0.certificatesReport }
        case PoliciesReport.path: onControlLoop(complete) { $0.policiesReport }
        default: complete(Self.json(ErrorReport(message: "no report at \(path)"), status: .notFound))
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

    private func onControlLoop(
        _ complete: @escaping @Sendable (AdminResponse) -> Void,
        _ make: @escaping @Sendable (WorkerProcess) -> some Report
    ) {
        worker.loop.post { [self] in complete(Self.json(make(worker))) }
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
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = (try? encoder.encode(report)).map(Array.init) ?? []
        return AdminResponse(status: status, contentType: "application/json", body: body)
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
