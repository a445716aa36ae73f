import Glibc
import Kernel
import Mesh
import TestSupport
import Testing

@testable import CNI
@testable import Keeper

/// What hack/fuzz.sh tries for hours is tried here once: the inputs that are kept, and those that broke a rule before.
@Suite struct FuzzReplayTests {
    private static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }

    private func replay(_ harness: String, _ fault: ([UInt8]) -> String?) throws {
        var count = 0
        for folder in ["Corpus", "FailCases"] {
            let directory = "\(Self.root)/Fuzz/\(harness)/\(folder)"
            for name in try Files.list(directory).sorted() where name != "README" {
                let input = try Files.read("\(directory)/\(name)", limit: 1 << 20)
                #expect(fault(input) == nil, "\(harness)/\(folder)/\(name)")
                count += 1
                // What is cut short or changed is no worse.
                for length in stride(from: 0, to: min(input.count, 512), by: 7) {
                    #expect(fault(Array(input.prefix(length))) == nil, "\(harness)/\(folder)/\(name), \(length) bytes")
                }
            }
        }
        #expect(count > 0, "\(harness) has no corpus")
    }

    @Test func `messages to and from the children`() throws {
        try replay("KeeperMessages", KeeperMessagesHarness.fault)
    }

    @Test func `messages between agents`() throws {
        try replay("HandoverMessages", HandoverMessagesHarness.fault)
    }

    @Test func `calls of the plugin`() throws {
        try replay("PluginRequests", PluginRequestsHarness.fault)
    }

    /// Writes the seeds anew, when a format has changed: MESHNODE_FUZZ_SEEDS=1 swift test --filter FuzzReplay.
    @Test(.enabled(if: getenv("MESHNODE_FUZZ_SEEDS") != nil, "only to write the seeds anew"))
    func `the seeds are written`() throws {
        let uid = WorkloadUID("Kubernetes//Pod/shop/web")
        let wish = PodWish(
            uid: uid, namespace: "shop", name: "web", podUID: "0-1", addresses: [ip("10.201.0.7"), ip("fd00:201::7")],
            excludedInboundPorts: [9090])
        let ends = ConnectionEnds(
            local: socketAddress("10.201.0.7:80"), remote: socketAddress("[fd00::1]:40000"), isInbound: true)
        let report = PodReport(uid: uid, state: .captured, detail: "why", earlierConnections: [ends])
        let facts = KeeperFacts(
            exemption: .cgroup, keeperPID: 1, keeperResidentBytes: 2, workerRestarts: 3, controllerRestarts: 4)
        let messages: [any KeeperMessage] = [
            KeeperToLoop.podEnrolled(uid), KeeperToLoop.podWithdrawn(uid), KeeperToLoop.sockets(uid, .v4, count: 2),
            KeeperToLoop.socketsFailed(uid, .v6, code: 2), KeeperToLoop.drain(milliseconds: 9),
            LoopToKeeper.requestSockets(uid, .v6, count: 16), KeeperToWorker.podState(report),
            KeeperToWorker.facts(facts), KeeperToWorker.controllerStream, KeeperToWorker.drain(milliseconds: 1),
            WorkerToKeeper.ready, WorkerToKeeper.heartbeat, WorkerToKeeper.requestFacts, WorkerToKeeper.state,
            WorkerToKeeper.requestControllerStream, ControllerToKeeper.podWanted(wish),
            ControllerToKeeper.podUnwanted(uid), ControllerToKeeper.podsComplete,
            ControllerToKeeper.podVerdict(PodVerdict(id: 7, outcome: .capture(wish))),
            ControllerToKeeper.podVerdict(PodVerdict(id: 8, outcome: .leave(reason: "no label"))),
            KeeperToController.podQuestion(id: 7, namespace: "shop", name: "web", uid: "0-1"),
        ]
        for (index, message) in messages.enumerated() {
            try write([UInt8(message.descriptorCount) | 0x80] + message.encoded(), "KeeperMessages", index)
        }
        let agent = InheritedAgent(
            cgroups: [.init(path: "/meshnode-agent-17", id: 99)], adminPath: "/run/agent.sock", hasState: true,
            counters: KeeperCounters())
        let pod = InheritedPod(
            wish: wish, isNamed: true, containerID: "c0", state: .captured, namespacePath: "/run/netns/a", repairs: 0,
            earlierCount: 1)
        var leaving = pod
        (leaving.state, leaving.earlierCount) = (.withdrawing(milliseconds: 5), 0)
        let course: [any KeeperMessage] = [
            SuccessorToAgent.hello(layout: 1, pid: 2),
            AgentToSuccessor.welcome(layout: 1, pid: 3, exemption: .cgroup, level: 3),
            SuccessorToAgent.claim(cgroupID: 5), AgentToSuccessor.agent(agent), AgentToSuccessor.earlier(uid, [ends]),
            AgentToSuccessor.pod(pod), AgentToSuccessor.pod(leaving), AgentToSuccessor.complete(podCount: 2),
            SuccessorToAgent.serving, AgentToSuccessor.yielded, AgentToSuccessor.aborted,
            AgentToSuccessor.refused(layout: 2, pid: 3, .layout),
        ]
        let rows = try course.map { message in
            let bytes = try message.encoded()
            return [UInt8(bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count), UInt8(message.descriptorCount)]
                + bytes
        }
        for (index, row) in rows.enumerated() { try write(row, "HandoverMessages", index) }
        try write(rows[..<8].flatMap { $0 }, "HandoverMessages", rows.count)
        for (index, command) in ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"].enumerated() {
            let invocation = PluginInvocation(
                command: command, containerID: "c0ffee", namespacePath: "/run/netns/a", interfaceName: "eth0",
                arguments: "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=0-1",
                configuration: Array(Self.configuration.utf8))
            try write([1] + PluginFrame.encode(invocation).dropFirst(8), "PluginRequests", index)
        }
        try write([1] + Array(Self.configuration.utf8), "PluginRequests", 6)
    }

    private static let configuration =
        #"{"cniVersion":"1.1.0","name":"net","type":"meshnode-cni","cni.dev/valid-attachments":[{"containerID":"c0","#
        + #""ifname":"eth0"}],"prevResult":{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/a"}]"#
        + #","ips":[{"address":"10.1.0.5/16","interface":0}],"dns":{}}}"#

    private func write(_ bytes: [UInt8], _ harness: String, _ number: Int) throws {
        try Files.writeAtomically(bytes, to: "\(Self.root)/Fuzz/\(harness)/Corpus/seed-\(number)", mode: 0o644)
    }
}
