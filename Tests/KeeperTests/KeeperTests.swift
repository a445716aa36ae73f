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

/// The keeper itself, on this kernel, with children that the test plays. One at a time: each moves this process into a
/// cgroup of its own.
@Suite(.serialized, .enabled(if: TestNamespace.isAvailable, "needs root, ip and nft"), .timeLimit(.minutes(10)))
struct KeeperTests {
    private func wish(_ name: String, _ addresses: [String]) -> PodWish {
        PodWish(
            uid: WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name), namespace: "shop", name: name,
            addresses: addresses.map { ip($0) })
    }

    private func end(_ harness: KeeperHarness, _ worker: FakeChild) {
        harness.stop()
        kill(worker.pid, SIGKILL)
        harness.join()
    }

    /// A keeper that has captured `wish` for its first worker.
    private func captured(
        _ wish: PodWish, _ change: (inout KeeperConfiguration) -> Void = { _ in }
    ) throws -> (KeeperHarness, worker: FakeChild, controller: FakeChild, listeners: DescriptorList) {
        let harness = KeeperHarness(change)
        let worker = try harness.next(isWorker: true)
        let controller = try harness.next(isWorker: false)
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        let (message, listeners) = try worker.nextLoopMessage()
        #expect(message == .podEnrolled(wish.uid))
        return (harness, worker, controller, listeners)
    }

    @Test func `a wanted pod is found, captured, and its listeners reach the worker`() throws {
        let pod = TestNamespace(addresses: ["10.201.10.1/32", "fd00:201:10::1/128"])
        let (harness, worker, _, listeners) = try captured(wish("a", ["10.201.10.1", "fd00:201:10::1"]))
        defer { end(harness, worker) }
        #expect(pod.redirects)
        #expect(try worker.report { $0.state == .captured }.uid == wish("a", []).uid)
        let ports = (0..<3).map { index -> UInt16? in
            let raw = dup(listeners.raw(at: index)!)
            return TCPSocket(Descriptor(owning: raw)).localAddress()?.port
        }
        #expect(ports == [15001, 15006, 15008])
        for address in ["10.201.10.1:15008", "[fd00:201:10::1]:15008"] {
            try pod.open().perform {
                let client = try TCPSocket.make(socketAddress(address).ip.family)
                try client.connect(to: socketAddress(address))
                #expect(client.peerAddress() == socketAddress(address))
            }
        }
    }

    @Test func `the worker gets sockets of the pod's namespace that may bind another's address`() throws {
        let pod = TestNamespace(addresses: ["10.201.11.1/32"])
        let wish = wish("a", ["10.201.11.1"])
        let (harness, worker, _, _) = try captured(wish)
        defer { end(harness, worker) }
        for (family, source) in [(IPAddress.Family.v4, "192.0.2.9:0"), (.v6, "[2001:db8::9]:0")] {
            try worker.send(LoopToKeeper.requestSockets(wish.uid, family, count: 16), to: Inherited.Worker.firstLoop)
            let (message, sockets) = try worker.nextLoopMessage()
            #expect(message == .sockets(wish.uid, family, count: 16))
            let socket = TCPSocket(sockets.take(at: 15)!)
            try socket.bind(to: socketAddress(source))
            #expect(try socket.option(SOL_SOCKET, SO_MARK) == Int32(MeshMarks.agent))
            var cookie: UInt64 = 0
            var length = socklen_t(8)
            #expect(getsockopt(socket.raw, SOL_SOCKET, 71, &cookie, &length) == 0)
            #expect(cookie == (try pod.open().cookie))
        }
        let nobody = WorkloadUID("nobody")
        try worker.send(LoopToKeeper.requestSockets(nobody, .v4, count: 1), to: Inherited.Worker.firstLoop)
        #expect(try worker.nextLoopMessage().0 == .socketsFailed(nobody, .v4, code: ENOENT))
    }

    @Test func `a pod that is not there yet is pending with the reason, and captured when it comes`() throws {
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        defer { end(harness, worker) }
        let controller = try harness.next(isWorker: false)
        let wish = wish("a", ["10.201.12.1"])
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        let report = try worker.report { _ in true }
        #expect(report.state == .pending)
        #expect(report.detail == "no network namespace on this node has its address 10.201.12.1")
        let pod = TestNamespace(addresses: ["10.201.12.1/32"])
        #expect(try worker.nextLoopMessage().0 == .podEnrolled(wish.uid))
        #expect(pod.isCaptured)
    }

    @Test func `a worker that is killed is followed by one that is told everything`() throws {
        let pod = TestNamespace(addresses: ["10.201.13.1/32"])
        let wish = wish("a", ["10.201.13.1"])
        let (harness, first, _, _) = try captured(wish)
        kill(first.pid, SIGKILL)
        let second = try harness.next(isWorker: true)
        defer { end(harness, second) }
        #expect(try second.nextLoopMessage().0 == .podEnrolled(wish.uid))
        guard case .facts(let facts) = try second.receive(KeeperToWorker.self, from: Inherited.Worker.control).0 else {
            Issue.record("no facts first")
            return
        }
        #expect(facts.workerRestarts == 1)
        #expect(facts.keeperPID == UInt32(CurrentProcess.pid))
        #expect(pod.isCaptured)
    }

    @Test func `a worker that sends what it may not is replaced, and captures nothing less`() throws {
        let pod = TestNamespace(addresses: ["10.201.14.1/32"])
        let wish = wish("a", ["10.201.14.1"])
        let (harness, first, _, _) = try captured(wish)
        // A worker must not be able to say what the controller says.
        let forged = try ControllerToKeeper.podUnwanted(wish.uid).encoded()
        try first.sendRaw(forged, to: Inherited.Worker.firstLoop)
        let second = try harness.next(isWorker: true)
        defer { end(harness, second) }
        #expect(try second.nextLoopMessage().0 == .podEnrolled(wish.uid))
        #expect(pod.redirects)
    }

    @Test func `a worker that has lost the channel of one loop is replaced, however well the others are`() throws {
        let pod = TestNamespace(addresses: ["10.201.34.1/32"])
        let wish = wish("a", ["10.201.34.1"])
        let (harness, first, _, _) = try captured(wish) { $0.loopCount = 2 }
        try first.close(Inherited.Worker.firstLoop + 1)
        let second = try harness.next(isWorker: true)
        defer { end(harness, second) }
        #expect(second.pid != first.pid)
        for loop in 0..<2 {
            let channel = Inherited.Worker.firstLoop + Int32(loop)
            #expect(try second.receive(KeeperToLoop.self, from: channel).0 == .podEnrolled(wish.uid))
        }
        #expect(pod.redirects)
    }

    @Test func `rules that are flushed are set right, and it is told`() throws {
        let pod = TestNamespace(addresses: ["10.201.15.1/32"])
        let (harness, worker, _, _) = try captured(wish("a", ["10.201.15.1"]))
        defer { end(harness, worker) }
        #expect(shell("ip netns exec \(pod.name) nft flush ruleset"))
        #expect(!pod.isCaptured)
        #expect(try worker.report { $0.repairs == 1 }.state == .captured)
        #expect(pod.redirects)
    }

    @Test func `a pod that is no longer wanted is released, its rules gone`() throws {
        let pod = TestNamespace(addresses: ["10.201.16.1/32"])
        let wish = wish("a", ["10.201.16.1"])
        let (harness, worker, controller, _) = try captured(wish)
        defer { end(harness, worker) }
        try controller.send(ControllerToKeeper.podUnwanted(wish.uid), to: Inherited.Controller.keeper)
        #expect(try worker.nextLoopMessage().0 == .podWithdrawn(wish.uid))
        #expect(try worker.report { $0.state == .withdrawn && $0.detail.isEmpty }.uid == wish.uid)
        #expect(!pod.isCaptured)
    }

    @Test func `a pod whose namespace is deleted is let go and pending again`() throws {
        var pod: TestNamespace? = TestNamespace(addresses: ["10.201.17.1/32"])
        let wish = wish("a", ["10.201.17.1"])
        let (harness, worker, _, _) = try captured(wish)
        defer { end(harness, worker) }
        #expect(pod != nil)
        pod = nil
        #expect(try worker.nextLoopMessage().0 == .podWithdrawn(wish.uid))
        let report = try worker.report { $0.state == .pending && !$0.detail.isEmpty && $0.detail != "being captured" }
        #expect(
            ["its network namespace is gone", "no network namespace on this node has its address 10.201.17.1"]
                .contains(report.detail))
        // The address in a new namespace is captured anew.
        let again = TestNamespace(addresses: ["10.201.17.1/32"])
        #expect(try worker.nextLoopMessage().0 == .podEnrolled(wish.uid))
        #expect(again.isCaptured)
    }

    @Test func `two pods with one address: the second is pending and names the first`() throws {
        let pod = TestNamespace(addresses: ["10.201.18.1/32"])
        let (harness, worker, controller, _) = try captured(wish("a", ["10.201.18.1"]))
        defer { end(harness, worker) }
        let second = wish("b", ["10.201.18.1"])
        try controller.send(ControllerToKeeper.podWanted(second), to: Inherited.Controller.keeper)
        let report = try worker.report { $0.uid == second.uid }
        #expect(report.state == .pending)
        #expect(report.detail == "its address 10.201.18.1 is in the namespace of pod shop/a")
        #expect(pod.isCaptured)
    }

    @Test func `a pod whose port 15001 is taken fails with the reason`() throws {
        let pod = TestNamespace(addresses: ["10.201.19.1/32"])
        let taken = try pod.open().perform {
            try PodSockets.openListener(port: 15001, mark: nil)
        }
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        defer { end(harness, worker) }
        let controller = try harness.next(isWorker: false)
        try controller.send(
            ControllerToKeeper.podWanted(wish("a", ["10.201.19.1"])), to: Inherited.Controller.keeper)
        let report = try worker.report { $0.state == .failed }
        #expect(report.detail.hasPrefix("port 15001 of the pod is in use"))
        #expect(!pod.isCaptured)
        _ = taken.raw
    }

    @Test func `a new controller that does not name a pod withdraws it only when it has named all`() throws {
        let pod = TestNamespace(addresses: ["10.201.20.1/32"])
        let wish = wish("a", ["10.201.20.1"])
        let (harness, worker, first, _) = try captured(wish)
        defer { end(harness, worker) }
        kill(first.pid, SIGKILL)
        let second = try harness.next(isWorker: false)
        #expect(pod.redirects)
        try second.send(ControllerToKeeper.podsComplete, to: Inherited.Controller.keeper)
        #expect(try worker.nextLoopMessage().0 == .podWithdrawn(wish.uid))
    }

    @Test func `at the end the worker is told to drain, the rules stay, and nothing else is left`() throws {
        let pod = TestNamespace(addresses: ["10.201.21.1/32"])
        let (harness, worker, _, _) = try captured(wish("a", ["10.201.21.1"]))
        let own = try CgroupHierarchy.path()
        #expect(own.contains("/meshnode-agent-\(CurrentProcess.pid)"))
        harness.stop()
        #expect(try worker.nextLoopMessage().0 == .drain(milliseconds: 30_000))
        while try worker.receive(KeeperToWorker.self, from: Inherited.Worker.control).0 != .drain(milliseconds: 30_000)
        {}
        #expect(Files.status("\(harness.directory)/agent.sock")?.mode == 0o600)
        kill(worker.pid, SIGKILL)
        harness.join()
        #expect(pod.redirects)
        #expect(Files.status("\(harness.directory)/agent.sock") == nil)
        #expect(try CgroupHierarchy.path() != own)
        // Programs that other suites of this process start meanwhile are born in the cgroup, and keep it.
        let isGone = (try? CgroupHierarchy.open().cgroup(own)) == nil
        #expect(isGone || harness.log.contains("the agent's cgroup stays"))
    }

    @Test func `with withdraw-on-exit the rules are taken back`() throws {
        let pod = TestNamespace(addresses: ["10.201.22.1/32"])
        let (harness, worker, _, _) = try captured(wish("a", ["10.201.22.1"])) { $0.withdrawsOnExit = true }
        harness.stop()
        #expect(try worker.nextLoopMessage().0 == .drain(milliseconds: 30_000))
        // Captured connections still drain: the table is there, but captures nothing new.
        #expect(pod.isCaptured && !pod.redirects)
        kill(worker.pid, SIGKILL)
        harness.join()
        #expect(!pod.isCaptured)
    }

    @Test func `a worker that does not end is ended at the drain deadline`() throws {
        let harness = KeeperHarness { $0.drainDeadline = .milliseconds(50) }
        let worker = try harness.next(isWorker: true)
        harness.stop()
        harness.join()
        #expect(kill(worker.pid, 0) == -1 && errno == ESRCH)
    }

    @Test func `asked a second time the agent ends at once`() throws {
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        harness.stop()
        #expect(try worker.nextLoopMessage().0 == .drain(milliseconds: 30_000))
        harness.stop()
        let asked = ContinuousClock.now
        harness.join()
        #expect(ContinuousClock.now - asked < .seconds(5))
        #expect(kill(worker.pid, 0) == -1 && errno == ESRCH)
    }

    @Test func `a changed wish is followed without letting the pod go`() throws {
        let pod = TestNamespace(addresses: ["10.201.23.1/32"])
        var wish = wish("a", ["10.201.23.1"])
        let (harness, worker, controller, _) = try captured(wish)
        defer { end(harness, worker) }
        wish.excludedInboundPorts = [9191]
        try controller.send(ControllerToKeeper.podWanted(wish), to: Inherited.Controller.keeper)
        _ = try worker.report { $0.state == .captured }
        while !shell("ip netns exec \(pod.name) nft list set inet meshnode excluded_in | grep -q 9191") {}
        #expect(pod.redirects)
        // Nothing was withdrawn: the next thing the worker hears is the answer to this.
        try worker.send(LoopToKeeper.requestSockets(wish.uid, .v4, count: 1), to: Inherited.Worker.firstLoop)
        #expect(try worker.nextLoopMessage().0 == .sockets(wish.uid, .v4, count: 1))
    }

    @Test func `a second agent in the same run directory is refused and the first named`() throws {
        let first = KeeperHarness()
        let worker = try first.next(isWorker: true)
        defer { end(first, worker) }
        let second = KeeperHarness {
            $0.runDirectory = first.directory
            $0.takesOver = false
        }
        second.join()
        #expect(second.failure?.code == .alreadyRunning)
        #expect(
            second.failure?.message.contains("another agent runs on this node (process \(CurrentProcess.pid))") == true)
    }

    @Test func `a port in use is told by its number`() throws {
        let first = KeeperHarness()
        let worker = try first.next(isWorker: true)
        defer { end(first, worker) }
        let raw = try #require(worker.raw(Inherited.Worker.readinessListener))
        let port = try #require(TCPSocket(Descriptor(owning: dup(raw))).localAddress()?.port)
        let second = KeeperHarness { $0.readinessPort = port }
        second.join()
        #expect(second.failure?.code == .addressInUse)
        #expect(second.failure?.message.hasPrefix("readiness port \(port) is in use") == true)
    }

    @Test func `the worker's stream to the controller waits until a controller takes it, and can be had again`() throws
    {
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        defer { end(harness, worker) }
        let controller = try harness.next(isWorker: false)
        let listener = Descriptor(owning: dup(try #require(controller.raw(Inherited.Controller.listener))))
        let stream = try #require(worker.raw(Inherited.Worker.controller))
        #expect(write(stream, "hello", 5) == 5)
        guard case .accepted(let accepted) = UnixSocket.accept(listener) else {
            Issue.record("no stream")
            return
        }
        #expect(try accepted.peerCredentials().uid == 0)
        try worker.send(WorkerToKeeper.requestControllerStream, to: Inherited.Worker.control)
        var isThere = false
        while !isThere {
            let (message, descriptors) = try worker.receive(KeeperToWorker.self, from: Inherited.Worker.control)
            if message == .controllerStream { isThere = descriptors.raw(at: 0) != nil }
        }
        guard case .accepted = UnixSocket.accept(listener) else {
            Issue.record("no second stream")
            return
        }
    }
}
