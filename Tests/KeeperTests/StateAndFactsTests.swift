import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Keeper
@testable import Kernel

private typealias Inherited = InheritedDescriptor

extension KeeperTests {
    private func wish(_ name: String, _ address: String) -> PodWish {
        PodWish(
            uid: WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name), namespace: "shop", name: name,
            addresses: [ip(address)])
    }

    private func state(of worker: FakeChild) throws -> [UInt8]? {
        let number = try #require(worker.raw(Inherited.Worker.state))
        let copy = Descriptor(owning: dup(number))
        return try? SealedMemory.read(copy, limit: 1 << 20)
    }

    @Test func `what a worker leaves sealed reaches the next worker and the next agent, and nothing else does`() throws
    {
        let harness = KeeperHarness()
        let first = try harness.next(isWorker: true)
        #expect(try state(of: first) == nil)
        let sealed = try SealedMemory.make("state", [1, 2, 3])
        try first.send(WorkerToKeeper.state, [sealed.raw], to: Inherited.Worker.control)
        let plain = try Descriptor.open("/proc/self/status", .read)
        for _ in 0..<2 { try first.send(WorkerToKeeper.state, [plain.raw], to: Inherited.Worker.control) }
        try first.send(WorkerToKeeper.requestFacts, to: Inherited.Worker.control)
        let facts = try first.facts { $0.counters.refusedStates == 2 }
        #expect(facts.stateBytes == 3)
        kill(first.pid, SIGKILL)
        let second = try harness.next(isWorker: true)
        #expect(try state(of: second) == [1, 2, 3])
        _ = try second.facts { $0.worker.lastEnd == "it was ended by signal 9" }

        let next = KeeperHarness { $0.runDirectory = harness.directory }
        try #require(next.failure == nil)
        let third = try next.next(isWorker: true)
        #expect(try state(of: third) == [1, 2, 3])
        let told = try third.facts { $0.handover == .takingOver }
        #expect(told.counters.refusedStates == 2)
        #expect(told.workerRestarts == 1)
        try third.send(WorkerToKeeper.ready, to: Inherited.Worker.control)
        #expect(try second.nextLoopMessage().0 == .drain(milliseconds: 30_000))
        kill(second.pid, SIGKILL)
        harness.join(leavesDirectory: true)
        next.stop()
        kill(third.pid, SIGKILL)
        next.join()
        shell("rm -rf \(harness.directory)")
    }

    @Test func `a worker that gave signs of life and gives none any more is ended and counted`() throws {
        let harness = KeeperHarness { $0.heartbeatLimitSeconds = 1 }
        let first = try harness.next(isWorker: true)
        try first.send(WorkerToKeeper.heartbeat, to: Inherited.Worker.control)
        let second = try harness.next(isWorker: true)
        let facts = try second.facts { $0.counters.workerHangs == 1 }
        #expect(facts.worker.lastEnd == "it gave no sign of life for 1 s")
        #expect(facts.workerRestarts == 1)
        harness.stop()
        kill(second.pid, SIGKILL)
        harness.join()
    }

    @Test func `nothing that a worker may say changes what is captured`() throws {
        let pod = TestNamespace(addresses: ["10.201.50.1/32"])
        let wish = wish("a", "10.201.50.1")
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        let controller = try harness.next(isWorker: false)
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        #expect(try worker.nextLoopMessage().0 == .podEnrolled(wish.uid))
        let sealed = try SealedMemory.make("state", [1])
        for message: WorkerToKeeper in [.ready, .heartbeat, .requestFacts, .requestControllerStream, .state] {
            let descriptors = message.descriptorCount == 0 ? [] : [sealed.raw]
            try worker.send(message, descriptors, to: Inherited.Worker.control)
        }
        for family in [IPAddress.Family.v4, .v6] {
            try worker.send(LoopToKeeper.requestSockets(wish.uid, family, count: 1), to: Inherited.Worker.firstLoop)
            #expect(try worker.nextLoopMessage().0 == .sockets(wish.uid, family, count: 1))
        }
        #expect(pod.redirects)
        // Every other kind, from every direction, ends the worker and nothing else.
        var current = worker
        let forged: [([UInt8], Int32)] = [
            (try ControllerToKeeper.podUnwanted(wish.uid).encoded(), Inherited.Worker.control),
            (try ControllerToKeeper.podsComplete.encoded(), Inherited.Worker.control),
            (try ControllerToKeeper.podsComplete.encoded(), Inherited.Worker.firstLoop),
            (try KeeperToLoop.podWithdrawn(wish.uid).encoded(), Inherited.Worker.firstLoop),
            (try SuccessorToAgent.serving.encoded(), Inherited.Worker.control),
        ]
        for (bytes, channel) in forged {
            try current.sendRaw(bytes, to: channel)
            current = try harness.next(isWorker: true)
            #expect(try current.nextLoopMessage().0 == .podEnrolled(wish.uid))
            #expect(pod.redirects)
        }
        let (facts, pods) = try KeeperFactsReader.read(path: "\(harness.directory)/keeper.sock")
        #expect(facts.counters.unenrolments == 0)
        #expect(pods.map(\.state) == [.captured])
        harness.stop()
        kill(current.pid, SIGKILL)
        harness.join()
    }

    @Test func `a pod that the runtime names is captured at once, kept until the controller has named it, and let go`()
        throws
    {
        let pod = TestNamespace(addresses: ["10.201.51.1/32"])
        let keeper = try NodeKeeper(
            {
                var configuration = KeeperConfiguration(
                    workerArguments: ["worker"], controllerArguments: nil, metricsPort: 0, readinessPort: 0
                ) { _, _ in }
                configuration.runDirectory = "/tmp/mnt-keeper-runtime-\(CurrentProcess.pid)"
                return configuration
            }())
        var wish = wish("a", "10.201.51.1")
        wish.addresses = []
        #expect(throws: KeeperError.self) {
            try keeper.cniPodAdded(wish: wish, namespacePath: "/proc/self/ns/net", containerID: "c0")
        }
        #expect(keeper.pods.isEmpty)
        try keeper.cniPodAdded(wish: wish, namespacePath: pod.path, containerID: "c1")
        #expect(pod.redirects)
        #expect(keeper.cniContainerIDs == ["c1": wish.uid])
        keeper.wishes.controllerStarted()
        keeper.podsComplete()
        #expect(pod.redirects)
        _ = keeper.wishes.wanted(wish)
        keeper.wishes.controllerStarted()
        #expect(keeper.cniPodDeleted(containerID: "c2") == false)
        #expect(keeper.cniPodDeleted(containerID: "c1") == true)
        // The rules stay: what runs on for a moment does not fall back to plaintext.
        #expect(pod.redirects)
        #expect(keeper.pods.isEmpty && keeper.wishes.count == 0)
        #expect(keeper.counters.unenrolments == 1)
        try? keeper.cgroup?.remove()
        shell("rm -rf /tmp/mnt-keeper-runtime-\(CurrentProcess.pid)")
    }
}
