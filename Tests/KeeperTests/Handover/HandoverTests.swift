import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Capture
@testable import Keeper
@testable import Kernel

private typealias Inherited = InheritedDescriptor

extension KeeperTests {
    private func wish(_ name: String, _ address: String) -> PodWish {
        PodWish(
            uid: WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name), namespace: "shop", name: name,
            addresses: [ip(address)])
    }

    /// The cgroups that are exempt in `pod`.
    private func exempt(in pod: TestNamespace) throws -> Int {
        try pod.open().perform {
            var socket = try NetlinkSocket(.netfilter)
            let sets = try CaptureState.read(from: &socket).ruleset?.sets ?? []
            return sets.first { $0.name == CaptureSets.agentsName }?.elements.count ?? 0
        }
    }

    private func wait(_ what: String, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while try !condition() {
            try #require(ContinuousClock.now < deadline, "it did not come so far: \(what)")
            poll(nil, 0, 5)
        }
    }

    /// A keeper with one captured pod, whose worker serves.
    private func serving(
        _ wish: PodWish
    ) throws -> (KeeperHarness, worker: FakeChild, controller: FakeChild, ServingWorker) {
        let harness = KeeperHarness()
        let child = try harness.next(isWorker: true)
        let controller = try harness.next(isWorker: false)
        let worker = ServingWorker(child)
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        try controller.send(ControllerToKeeper.podsComplete, to: Inherited.Controller.keeper)
        return (harness, child, controller, worker)
    }

    @Test func `twenty agents in a row succeed each other, and no connection is refused or cut`() throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.40.1/24", peer, "10.201.40.2/24")
        let wish = wish("a", "10.201.40.1")
        var (current, _, _, worker) = try serving(wish)
        let directory = current.directory
        try wait("captured") { pod.redirects }
        let client = SteadyClient(from: try peer.open(), to: "10.201.40.1", 8080)
        let began = ContinuousClock.now
        var workers = [worker]
        for round in 1...20 {
            let next = KeeperHarness { $0.runDirectory = directory }
            try #require(next.failure == nil)
            let child = try next.next(isWorker: true)
            let controller = try next.next(isWorker: false)
            let nextWorker = ServingWorker(child)
            // The old one ends by itself, when its worker has.
            worker.join()
            current.join(leavesDirectory: true)
            #expect(current.failure == nil)
            let answered = client.soFar.answered
            try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
            try controller.send(ControllerToKeeper.podsComplete, to: Inherited.Controller.keeper)
            try wait("serving after hand-over \(round)") { client.soFar.answered >= answered + 30 }
            (current, worker) = (next, nextWorker)
            workers.append(worker)
        }
        let took = ContinuousClock.now - began
        let tally = client.stop()
        #expect(tally.refused == 0)
        #expect(tally.cut == 0)
        #expect(tally.unanswered == 0)
        #expect(tally.answered > Int(took.components.seconds) * 100)
        #expect(workers.allSatisfy { $0.served > 0 })
        print(
            "20 hand-overs in \(took): \(tally.answered) connections, \(tally.refused) refused, \(tally.cut) cut, "
                + "longest \(tally.longest)")
        let (facts, pods) = try KeeperFactsReader.read(path: "\(directory)/keeper.sock")
        #expect(facts.counters.handovers == 20)
        #expect(facts.counters.failedHandovers == 0)
        #expect(pods.map(\.state) == [.captured])
        try wait("only its own cgroup is exempt") { try exempt(in: pod) == 1 }
        current.stop()
        worker.join()
        current.join()
        #expect(Files.status("\(directory)/agent.sock") == nil)
        #expect(pod.redirects)
        shell("rm -rf \(directory)")
    }

    @Test func `what waits in the backlog is answered by the next agent's worker`() throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.41.1/24", peer, "10.201.41.2/24")
        let wish = wish("a", "10.201.41.1")
        let first = KeeperHarness()
        let idle = try first.next(isWorker: true)
        let controller = try first.next(isWorker: false)
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        #expect(try idle.nextLoopMessage().0 == .podEnrolled(wish.uid))
        // Nobody accepts: it is established, and waits.
        let client = try peer.open().perform { try TCPSocket.make(.v4) }
        try client.connect(to: socketAddress("10.201.41.1:8080"))
        var writable = pollfd(fd: client.raw, events: Int16(POLLOUT), revents: 0)
        #expect(poll(&writable, 1, 5000) == 1)
        #expect(client.connectError() == 0)

        let second = KeeperHarness { $0.runDirectory = first.directory }
        try #require(second.failure == nil)
        let worker = ServingWorker(try second.next(isWorker: true))
        #expect(try idle.nextLoopMessage().0 == .drain(milliseconds: 30_000))
        #expect(try idle.facts { $0.handover == .yielded }.otherAgentPID == UInt32(CurrentProcess.pid))
        var readable = pollfd(fd: client.raw, events: Int16(POLLIN), revents: 0)
        #expect(poll(&readable, 1, 5000) == 1)
        var byte: UInt8 = 0
        #expect(read(client.raw, &byte, 1) == 1)

        // The old one may be told to end, as by its supervisor; its worker has its time all the same.
        first.stop()
        #expect(kill(idle.pid, 0) == 0)
        kill(idle.pid, SIGKILL)
        first.join()
        second.stop()
        worker.join()
        second.join()
    }

    @Test func `an agent that dies before it serves leaves the one before it as it was`() throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.42.1/24", peer, "10.201.42.2/24")
        let later = TestNamespace(addresses: ["10.201.42.9/32"])
        let (first, child, controller, worker) = try serving(wish("a", "10.201.42.1"))
        try wait("captured") { pod.redirects }
        let second = KeeperHarness { $0.runDirectory = first.directory }
        try #require(second.failure == nil)
        #expect(try exempt(in: pod) == 2)
        // What the controller says in the meantime waits.
        try controller.send(
            ControllerToKeeper.podWanted(wish("b", "10.201.42.9")), to: Inherited.Controller.keeper)
        try controller.send(
            ControllerToKeeper.podUnwanted(wish("a", "10.201.42.1").uid), to: Inherited.Controller.keeper)
        let third = KeeperHarness { $0.runDirectory = first.directory }
        third.join()
        #expect(third.failure?.code == .handover)
        #expect(third.failure?.message.contains("it hands over to another agent") == true)
        #expect(!later.isCaptured && pod.redirects)

        second.stop()
        second.join()
        try wait("what was said is done") { later.isCaptured && !pod.redirects }
        #expect(try exempt(in: later) == 1)
        let (facts, _) = try KeeperFactsReader.read(path: "\(first.directory)/keeper.sock")
        #expect(facts.counters.failedHandovers == 1)
        #expect(facts.handover == .none)
        #expect(kill(child.pid, 0) == 0)
        first.stop()
        worker.join()
        first.join()
    }

    @Test func `an agent that was told to end and still drains is succeeded all the same`() throws {
        let pod = TestNamespace(addresses: ["10.201.44.1/32"])
        let wish = wish("a", "10.201.44.1")
        let first = KeeperHarness()
        let old = try first.next(isWorker: true)
        let controller = try first.next(isWorker: false)
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        #expect(try old.nextLoopMessage().0 == .podEnrolled(wish.uid))
        first.stop()
        #expect(try old.nextLoopMessage().0 == .drain(milliseconds: 30_000))

        let second = KeeperHarness { $0.runDirectory = first.directory }
        try #require(second.failure == nil)
        // Even if its worker ends meanwhile, it waits for the outcome.
        kill(old.pid, SIGKILL)
        let worker = ServingWorker(try second.next(isWorker: true))
        first.join(leavesDirectory: true)
        #expect(first.failure == nil)
        #expect(Files.status("\(first.directory)/agent.sock") != nil)
        #expect(pod.redirects)
        let (facts, pods) = try KeeperFactsReader.read(path: "\(first.directory)/keeper.sock")
        #expect(facts.counters.handovers == 1)
        #expect(pods.map(\.state) == [.captured])
        second.stop()
        worker.join()
        second.join()
        shell("rm -rf \(first.directory)")
    }

    @Test func `captured connections go on while agents are exempted and change`() throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.43.1/24", peer, "10.201.43.2/24")
        let namespace = try pod.open()
        // Made before the process is in the agent's cgroup: so they are captured.
        let clients = try namespace.perform { try PodSockets.open(.v4, count: 2) }
        let first = try AgentCgroup.enter()
        let captured = try CapturedPod(
            FoundNamespace(namespace: namespace, path: pod.path), wish: wish("a", "10.201.43.1"),
            exemption: first.exemption)
        let client = TCPSocket(clients.take(at: 0)!)
        try client.connect(to: socketAddress("10.201.43.2:8080"))
        let listener = captured.listeners.raw(at: 0)!
        var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 5000) == 1)
        let server = Descriptor(owning: accept(listener, nil, nil))
        func flows() {
            for (from, to) in [(client.raw, server.raw), (server.raw, client.raw)] {
                #expect(send(from, "x", 1, Int32(MSG_NOSIGNAL)) == 1)
                var readable = pollfd(fd: to, events: Int16(POLLIN), revents: 0)
                #expect(poll(&readable, 1, 2000) == 1)
                var byte: UInt8 = 0
                #expect(read(to, &byte, 1) == 1)
            }
        }
        flows()
        let second = try AgentCgroup.enter(level: first.cgroup.level)
        defer { try? second.remove() }
        #expect(second.cgroup.id != first.cgroup.id && second.cgroup.level == first.cgroup.level)
        let both = AgentExemption.cgroups([first.cgroup.id, second.cgroup.id], level: first.cgroup.level)
        try captured.replaceExemption(both)
        flows()
        // The next agent sets the same rules as a whole.
        let inherited = InheritedPod(
            wish: wish("a", "10.201.43.1"), isNamed: true, containerID: "", state: .captured, namespacePath: pod.path,
            repairs: 3, earlierCount: 0)
        let adopted = try CapturedPod(
            adopting: FoundNamespace(namespace: pod.open(), path: pod.path), inherited,
            listeners: DescriptorList.duplicating(captured.listeners.rawNumbers), earlier: [], exemption: both)
        flows()
        #expect(adopted.repairCount == 3)
        #expect(try adopted.verify() == nil)
        try adopted.replaceExemption(second.exemption)
        flows()
        // And who comes now is captured as before.
        let late = TCPSocket(clients.take(at: 1)!)
        try late.connect(to: socketAddress("10.201.43.2:8080"))
        var again = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        #expect(poll(&again, 1, 5000) == 1)
        // Children that other tests started meanwhile were born in it, and keep it until they end.
        let left = InheritedAgent.ExemptCgroup(path: first.cgroup.path, id: first.cgroup.id)
        var isGone = second.removeForeign(left)
        for _ in 0..<3000 where !isGone {
            usleep(10_000)
            isGone = second.removeForeign(left)
        }
        #expect(isGone)
        try adopted.delete()
    }
}
