import Addressing
import Capture
import Keeper
import Mesh
import TestSupport
import Testing

private let uid = WorkloadUID("Kubernetes//Pod/shop/web")

private func prefix(_ text: String) -> IPPrefix { IPPrefix(text) ?? IPPrefix(ip("192.0.2.1")) }

private let wish = PodWish(
    uid: uid, namespace: "shop", name: "web", addresses: [ip("10.201.0.7"), ip("fd00:201::7")],
    excludedInboundPorts: [9090, 1],
    excludedOutbound: [
        ExcludedDestination(prefix("10.0.0.0/8"), ports: 0...65535),
        ExcludedDestination(prefix("fd00::/8"), ports: 53...53),
    ],
    options: [.bypassesInbound, .abortsOldInbound])

private let toLoop: [KeeperToLoop] = [
    .podEnrolled(uid), .podWithdrawn(uid), .sockets(uid, .v4, count: 1), .sockets(uid, .v6, count: 128),
    .socketsFailed(uid, .v6, code: 2), .drain(milliseconds: 30_000),
]
private let fromLoop: [LoopToKeeper] = [.requestSockets(uid, .v4, count: 1), .requestSockets(uid, .v6, count: 128)]
private let toWorker: [KeeperToWorker] = [
    .podState(PodReport(uid: uid, state: .pending, detail: "no namespace", uncapturedConnections: 3, repairs: 9)),
    .podState(PodReport(uid: uid, state: .withdrawn)),
    .facts(
        KeeperFacts(
            exemption: .mark, keeperPID: 17, keeperResidentBytes: 1 << 40, workerRestarts: 3, controllerRestarts: 1)),
    .controllerStream, .drain(milliseconds: 0),
]
private let fromWorker: [WorkerToKeeper] = [.ready, .heartbeat, .requestFacts, .requestControllerStream, .state]
private let fromController: [ControllerToKeeper] =
    [.podWanted(wish), .podUnwanted(uid), .podsComplete]
    + [.capture(wish), .leave(reason: "no label asks for it"), .unknown(reason: "")]
    .map { .podVerdict(PodVerdict(id: .max, outcome: $0)) }

/// What the kinds of all directions make of some bytes; none of them may trap.
private func decodeAsEverything(_ bytes: [UInt8], descriptorCount: Int = 0) -> Int {
    var taken = 0
    func count(_ body: () throws -> Void) { taken += (try? body()) == nil ? 0 : 1 }
    count { _ = try KeeperToLoop(decoding: bytes, descriptorCount: descriptorCount) }
    count { _ = try LoopToKeeper(decoding: bytes, descriptorCount: descriptorCount) }
    count { _ = try KeeperToWorker(decoding: bytes, descriptorCount: descriptorCount) }
    count { _ = try WorkerToKeeper(decoding: bytes, descriptorCount: descriptorCount) }
    count { _ = try ControllerToKeeper(decoding: bytes, descriptorCount: descriptorCount) }
    return taken
}

@Suite struct MessageTests {
    private func roundTrip<M: KeeperMessage>(_ messages: [M]) throws {
        for message in messages {
            #expect(try M(decoding: message.encoded(), descriptorCount: message.descriptorCount) == message)
        }
    }

    private var all: [([UInt8], Int)] {
        get throws {
            func encoded(_ messages: [some KeeperMessage]) throws -> [([UInt8], Int)] {
                try messages.map { (try $0.encoded(), $0.descriptorCount) }
            }
            return try encoded(toLoop) + encoded(fromLoop) + encoded(toWorker) + encoded(fromWorker)
                + encoded(fromController)
        }
    }

    @Test func `every message is read as it was written`() throws {
        try roundTrip(toLoop)
        try roundTrip(fromLoop)
        try roundTrip(toWorker)
        try roundTrip(fromWorker)
        try roundTrip(fromController)
    }

    @Test func `a message is taken in its own direction only`() throws {
        for (bytes, count) in try all { #expect(decodeAsEverything(bytes, descriptorCount: count) == 1) }
    }

    @Test func `a message with a descriptor too many or too few is refused`() throws {
        for (bytes, count) in try all {
            #expect(decodeAsEverything(bytes, descriptorCount: count + 1) == 0)
            if count > 0 { #expect(decodeAsEverything(bytes, descriptorCount: count - 1) == 0) }
        }
    }

    @Test func `every truncation and every extension is refused`() throws {
        for (bytes, count) in try all {
            for length in 0..<bytes.count {
                #expect(decodeAsEverything(Array(bytes[..<length]), descriptorCount: count) == 0)
                // The same with a length that agrees.
                var agreeing = Array(bytes[..<length])
                guard length >= 4 else { continue }
                agreeing[2] = UInt8(length >> 8)
                agreeing[3] = UInt8(length & 0xff)
                #expect(decodeAsEverything(agreeing, descriptorCount: count) == 0)
            }
            var longer = bytes + [0]
            longer[2] = UInt8(longer.count >> 8)
            longer[3] = UInt8(longer.count & 0xff)
            #expect(decodeAsEverything(longer, descriptorCount: count) == 0)
        }
    }

    @Test func `no byte that is changed traps, and what is still taken is written the same way`() throws {
        for (bytes, count) in try all {
            for index in bytes.indices {
                for value: UInt8 in [0, 1, 2, 0x7f, 0x80, 0xff, bytes[index] &+ 1] {
                    var changed = bytes
                    changed[index] = value
                    _ = decodeAsEverything(changed, descriptorCount: count)
                    if let message = try? ControllerToKeeper(decoding: changed, descriptorCount: count) {
                        #expect(try message.encoded() == changed)
                    }
                }
            }
        }
    }

    @Test func `random bytes never trap`() {
        var generator = SystemRandomNumberGenerator()
        let kinds: [UInt8] = [0x11, 0x12, 0x13, 0x14, 0x15, 0x21, 0x31, 0x32, 0x33, 0x34, 0x41, 0x51, 0x52, 0x53]
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...96, using: &generator)
            var bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            // Most get past the header.
            if length >= 4, Bool.random(using: &generator) || Bool.random(using: &generator) {
                bytes[0] = 1
                bytes[1] = kinds.randomElement(using: &generator) ?? 0
                bytes[2] = 0
                bytes[3] = UInt8(length)
                // Short texts are likelier to fit.
                if length >= 6 { (bytes[4], bytes[5]) = (0, UInt8.random(in: 0...8, using: &generator)) }
            }
            _ = decodeAsEverything(bytes, descriptorCount: Int.random(in: 0...4, using: &generator))
        }
    }

    @Test func `what is over its limit is not written`() {
        let long = WorkloadUID(String(repeating: "u", count: 513))
        #expect(throws: KeeperError.self) { try KeeperToLoop.podEnrolled(long).encoded() }
        #expect(throws: KeeperError.self) { try KeeperToLoop.podEnrolled(WorkloadUID("")).encoded() }
        #expect(throws: KeeperError.self) { try KeeperToLoop.podEnrolled(WorkloadUID("a\nb")).encoded() }
        #expect(throws: KeeperError.self) { try LoopToKeeper.requestSockets(uid, .v4, count: 0).encoded() }
        #expect(throws: KeeperError.self) { try LoopToKeeper.requestSockets(uid, .v4, count: 129).encoded() }
        var many = wish
        many.excludedInboundPorts = Array(1...65)
        #expect(throws: KeeperError.self) { try ControllerToKeeper.podWanted(many).encoded() }
        var nowhere = wish
        nowhere.addresses = []
        #expect(throws: KeeperError.self) { try ControllerToKeeper.podWanted(nowhere).encoded() }
    }

    @Test(arguments: ["127.0.0.1", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1"])
    func `a pod is not looked for by an address that any namespace may have`(_ address: String) {
        var odd = wish
        odd.addresses = [ip(address)]
        #expect(throws: KeeperError.self) { try ControllerToKeeper.podWanted(odd).encoded() }
    }

    @Test func `agents tell each other everything in their layout`() throws {
        var counters = KeeperCounters()
        (counters.workerRestarts, counters.refusedStates) = (1, 9)
        let ends = ConnectionEnds(
            local: socketAddress("10.201.0.7:80"), remote: socketAddress("[fd00::1]:40000"), isInbound: true)
        let toSuccessor: [AgentToSuccessor] =
            [
                .welcome(layout: 7, pid: 17, exemption: .cgroup, level: 3), .refused(layout: 7, pid: 17, .busy),
                .agent(
                    InheritedAgent(
                        cgroups: [.init(path: "/meshnode-agent-17", id: 99)], adminPath: "/run/meshnode/agent.sock",
                        hasState: true, counters: counters)),
                .earlier(uid, [ends, ends]), .complete(podCount: .max), .yielded, .aborted,
            ]
            + [.searching, .captured, .withdrawing(milliseconds: 5)].map {
                .pod(
                    InheritedPod(
                        wish: wish, isNamed: true, containerID: "c0ffee", state: $0, namespacePath: "/run/netns/a",
                        repairs: 2, earlierCount: 2))
            }
        try roundTrip(toSuccessor)
        #expect(toSuccessor.map(\.descriptorCount) == [0, 0, 11, 0, 0, 0, 0, 0, 4, 1])
        try roundTrip([SuccessorToAgent.hello(layout: 7, pid: 17), .claim(cgroupID: .max), .serving])
        try roundTrip([KeeperToController.podQuestion(id: .max, namespace: "shop", name: "web", uid: "")])
        var facts = KeeperFacts(
            exemption: .cgroup, keeperPID: 1, keeperResidentBytes: 2, workerRestarts: 3, controllerRestarts: 4)
        facts.worker.condition = .restarting
        facts.worker.restartsIn = 5
        facts.worker.lastEnd = "it was ended by signal 9"
        facts.handover = .yielded
        facts.counters = counters
        facts.stateBytes = .max
        let report = PodReport(uid: uid, state: .captured, uncapturedConnections: 1, earlierConnections: [ends])
        try roundTrip([KeeperToWorker.facts(facts), .podState(report)])
    }

    @Test func `the largest wish fits in one message`() throws {
        let large = PodWish(
            uid: WorkloadUID(String(repeating: "u", count: 512)), namespace: String(repeating: "n", count: 253),
            name: String(repeating: "p", count: 253),
            addresses: (1...8).map { IPAddress(v6: 0xfd << 120 | UInt128($0)) },
            excludedInboundPorts: Array(1...64),
            excludedOutbound: (1...64).map {
                ExcludedDestination(IPPrefix(IPAddress(v6: 0xfd << 120 | UInt128($0))), ports: 1...2)
            })
        let bytes = try ControllerToKeeper.podWanted(large).encoded()
        #expect(try ControllerToKeeper(decoding: bytes, descriptorCount: 0) == .podWanted(large))
    }

    @Test func `a long detail is cut between characters and freed of control characters`() throws {
        let report = PodReport(uid: uid, state: .failed, detail: "a\nb" + String(repeating: "é", count: 150))
        let message = try KeeperToWorker(decoding: KeeperToWorker.podState(report).encoded(), descriptorCount: 0)
        guard case .podState(let read) = message else {
            Issue.record("another message")
            return
        }
        #expect(read.detail == "a b" + String(repeating: "é", count: 98))
    }
}
