internal import Keeper
internal import Kernel
internal import NIOHTTP1
internal import Proxy
internal import Telemetry

/// Puts the worker together out of what it inherited, and runs it.
enum WorkerAssembly {
    static func run(_ configuration: AgentConfiguration, _ log: ProcessLog) throws {
        try CurrentProcess.raiseDescriptorLimit(to: 65_536)
        // Read before there is anything to be counted: what the machine has available now is the worker's to use. Reading
        // is all that it takes, which no filter of system calls denies.
        let limits = LimitLedger()
        let writer = try AccessLogWriter(configuration.logFormat)
        try writer.start()
        let telemetry = WorkerTelemetry(accessLog: writer, log: log)
        telemetry.registry.add(limits)
        telemetry.registry.add(ProcessMetrics())
        let count = min(configuration.loops ?? CurrentProcess.usableCores, InheritedDescriptor.maxLoops)
        let balance = LoopBalance()
        let runners = try (0..<count).map { index in
            try LoopRunner(
                index: index,
                channel: MessageSocket(Descriptor(owning: InheritedDescriptor.Worker.firstLoop + Int32(index))),
                journal: telemetry.journal, limits: limits, balance: balance)
        }
        let worker = try WorkerProcess(
            configuration, control: MessageSocket(Descriptor(owning: InheritedDescriptor.Worker.control)),
            runners: runners, telemetry: telemetry, log: log)
        let handle = WorkerHandle(worker)
        let threads = runners.enumerated().map { index, runner in
            LoopThread(name: "loop-\(index)") {
                do {
                    try runner.run { cause in handle.loopLostKeeper(index, cause) }
                } catch {
                    log.write(.error, "loop \(index): \(error)")
                    handle.loopLostKeeper(index, "\(error)")
                }
            }
        }
        try serve(handle, telemetry)
        for thread in threads { try thread.start() }
        try worker.run(
            controller: Descriptor(owning: InheritedDescriptor.Worker.controller),
            restoring: receiveState(configuration, log))
        for runner in runners { runner.stop() }
        for thread in threads { thread.join() }
        log.write(.info, "worker ends")
    }

    /// A state that cannot be used is no reason not to start: the controller has all of it.
    private static func receiveState(_ configuration: AgentConfiguration, _ log: ProcessLog) -> WorkerState? {
        do {
            return try StateHandOver.receive(
                Descriptor(owning: InheritedDescriptor.Worker.state), node: configuration.node)
        } catch {
            log.write(.warning, "\(error)")
            return nil
        }
    }

    private static func serve(_ handle: WorkerHandle, _ telemetry: WorkerTelemetry) throws {
        let server = AdminServer()
        handle.worker.onYielded = { server.close() }
        let desk = ReportDesk(handle.worker) { complete in handle.askForMesh(complete) }
        handle.worker.nodeReport = { NodeStatus.current($0).json }
        try server.serve(Descriptor(owning: InheritedDescriptor.Worker.adminListener)) { desk.answer($0, $1) }
        try server.serve(Descriptor(owning: InheritedDescriptor.Worker.metricsListener)) {
            (target: AdminTarget, complete) in
            complete(metrics(target, telemetry))
        }
        try server.serve(Descriptor(owning: InheritedDescriptor.Worker.readinessListener)) { path, complete in
            desk.answerReadiness(path, complete)
        }
    }

    private static func metrics(_ target: AdminTarget, _ telemetry: WorkerTelemetry) -> AdminResponse {
        guard target.path == "/metrics" || target.path == "/stats/prometheus" else {
            return .text(.notFound, "metrics are at /metrics")
        }
        let exposition = Exposition(acceptHeader: target.accept)
        return AdminResponse(
            status: .ok, contentType: exposition.contentType, body: Array(telemetry.registry.text(exposition).utf8))
    }
}

/// The worker for those on other threads.
private final class WorkerHandle: @unchecked Sendable {
    // @unchecked: `worker` is touched only on its control loop, and before that runs.
    let worker: WorkerProcess

    init(_ worker: WorkerProcess) { self.worker = worker }

    func loopLostKeeper(_ index: Int, _ cause: String) {
        worker.loop.post { [self] in worker.loopLostKeeper(index, cause) }
    }

    /// Called on the control loop.
    func askForMesh(_ complete: @escaping @Sendable (MeshAnswer) -> Void) {
        worker.askForMesh { answer in
            switch answer {
            case .answered(let report): complete(MeshAnswer(report))
            case .failed(let cause): complete(.unreachable(cause))
            }
        }
    }
}
