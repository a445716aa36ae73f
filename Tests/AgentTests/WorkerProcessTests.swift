import Keeper
import Kernel
import Mesh
import Telemetry
import Testing
import Transport

@testable import Agent

/// A worker without loops, in a mesh in which there is nothing: what its control loop does by itself.
@Suite final class `A worker's control loop` {
    private let telemetry: WorkerTelemetry
    private let worker: WorkerProcess
    private let pair: DescriptorList
    private let keeper: MessageSocket

    init() throws {
        let log = ProcessLog("worker", .text, .error)
        pair = try MessageSocket.makePair()
        keeper = MessageSocket(try pair.end(1))
        telemetry = WorkerTelemetry(accessLog: try AccessLogWriter(.text), log: log)
        worker = try WorkerProcess(
            Samples.configuration(), control: MessageSocket(try pair.end(0)), runners: [], telemetry: telemetry,
            log: log)
    }

    /// Runs the worker until `isDone`; what it threw, nil if nothing.
    private func run(until isDone: @escaping () -> Bool) throws -> AgentError? {
        SignalSource.ignoreBrokenPipes()
        let streams = try UnixSocket.makePair()
        let controller = FakeController([])
        try controller.serve(try streams.end(1), LoopResources(loop: worker.loop))
        let deadline = ContinuousClock.now + .seconds(10)
        let ticker = Ticker(loop: worker.loop, interval: .milliseconds(1)) { [worker] in
            if isDone() || ContinuousClock.now > deadline { worker.loop.stop() }
        }
        ticker.start()
        defer { ticker.stop() }
        do {
            try worker.run(controller: streams.end(0))
        } catch let error as AgentError {
            return error
        }
        #expect(isDone(), "it never came")
        withExtendedLifetime(controller) {}
        return nil
    }

    private func refuse(_ name: String) {
        let workload = Samples.workload(name, "10.0.0.1")
        let record = ConnectionRecord(
            id: 1, direction: .outbound, security: .plaintext,
            source: PeerFacts(address: nil, workload: workload, identity: nil), destination: PeerFacts(),
            openedAt: Moment(instant: .now, secondsSince1970: 0))
        telemetry.connectionMetrics.failed(record)
    }

    private func isShown(_ name: String) -> Bool {
        telemetry.registry.text(.prometheus).contains("source_canonical_service=\"\(name)\"")
    }

    @Test func `frees the label sets of pods that are gone, and of no others`() throws {
        refuse("gone")
        refuse("here")
        #expect(isShown("gone") && isShown("here"))
        let report = PodReport(uid: Samples.uid("here"), state: .captured)
        #expect(try keeper.send(KeeperToWorker.podState(report).encoded()) == .sent)
        #expect(try run { !self.isShown("gone") } == nil)
        #expect(isShown("here"))
    }

    @Test func `ends with an error when a loop has lost the keeper, so that another takes over`() throws {
        worker.loop.post { [handle = Unchecked(worker)] in handle.value.loopLostKeeper(3, "it was closed") }
        let error = try run { false }
        #expect(error?.code == .brokenChannel && error?.message.contains("loop 3") == true)
        #expect(error.map(AgentExit.status(of:)) == 1)
    }
}

/// The test and the loop are one thread.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
