import Addressing
import Kernel
import Testing

@testable import Agent
@testable import Keeper

/// The keeper's end, held by the test.
private final class KeeperEnd {
    private var socket: MessageSocket?

    init(_ descriptor: consuming Descriptor) { socket = MessageSocket(descriptor) }

    func send(_ message: some KeeperMessage, descriptors: [Int32] = []) throws {
        try sendRaw(message.encoded(), descriptors: descriptors)
    }

    func sendRaw(_ bytes: [UInt8], descriptors: [Int32] = []) throws {
        let result = try socket?.send(bytes, descriptors: descriptors)
        #expect(result == .sent)
    }

    /// All messages that have come.
    func receive<M: KeeperMessage>(_ type: M.Type) throws -> [M] {
        var messages: [M] = []
        while case .message(let bytes, let descriptors) = try socket?.receive() {
            messages.append(try M(decoding: bytes, descriptorCount: descriptors.count))
        }
        return messages
    }

    func close() { socket = nil }
}

@Suite struct `A child's channel to the keeper` {
    private let loop: EventLoop
    private let keeper: KeeperEnd
    private let pair: DescriptorList

    init() throws {
        loop = try EventLoop()
        pair = try MessageSocket.makePair()
        keeper = KeeperEnd(try pair.end(1))
    }

    private func makeChannel<In: KeeperMessage, Out: KeeperMessage>(_: In.Type, _: Out.Type) throws
        -> KeeperChannel<In, Out>
    {
        KeeperChannel(MessageSocket(try pair.end(0)), loop: loop)
    }

    private static let facts = KeeperFacts(
        exemption: .cgroup, keeperPID: 7, keeperResidentBytes: 1 << 20, workerRestarts: 1, controllerRestarts: 0)

    @Test func `brings messages in their order, with what travels along`() throws {
        let channel = try makeChannel(KeeperToWorker.self, WorkerToKeeper.self)
        var messages: [KeeperToWorker] = []
        var streams = 0
        try channel.start { message, descriptors in
            messages.append(message)
            if descriptors.take(at: 0) != nil { streams += 1 }
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        let report = PodReport(uid: Samples.uid("a"), state: .captured)
        let spare = try UnixSocket.makePair()
        try keeper.send(KeeperToWorker.facts(Self.facts))
        try keeper.send(KeeperToWorker.controllerStream, descriptors: [try #require(spare.raw(at: 0))])
        try keeper.send(KeeperToWorker.podState(report))
        try run(loop, .when("three messages", { messages.count == 3 }))
        #expect(messages == [.facts(Self.facts), .controllerStream, .podState(report)])
        #expect(streams == 1)
    }

    @Test func `keeps what a keeper that is behind has not taken, in order`() throws {
        let channel = try makeChannel(KeeperToLoop.self, LoopToKeeper.self)
        try channel.start { _, _ in
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        let sent = (0..<5000).map { LoopToKeeper.requestSockets(Samples.uid("pod-\($0)"), .v4, count: 1) }
        var received: [LoopToKeeper] = []
        for message in sent { channel.send(message) }
        received += try keeper.receive(LoopToKeeper.self)
        #expect(received.count < sent.count, "the kernel took them all: nothing had to wait")
        let keeper = keeper
        try run(
            loop,
            .when(
                "every message",
                {
                    received += (try? keeper.receive(LoopToKeeper.self)) ?? []
                    return received.count >= sent.count
                }))
        #expect(received == sent)
    }

    @Test func `ends once when the keeper is gone, after what it said last`() throws {
        let channel = try makeChannel(KeeperToWorker.self, WorkerToKeeper.self)
        var events: [String] = []
        try channel.start { message, _ in
            events.append("\(message)")
        } onEnd: {
            events.append($0)
        }
        try keeper.send(KeeperToWorker.drain(milliseconds: 5))
        keeper.close()
        try run(loop, .when("the end", { events.count == 2 }), .fewTurns())
        #expect(events == ["drain(milliseconds: 5)", "the keeper is gone"])
        channel.send(.heartbeat)
        #expect(events.count == 2)
    }

    @Test(arguments: [[1], [1, 0x32, 0, 4], [1, 0x41, 0, 4], [9, 0x32, 0, 4], Array(repeating: 0, count: 64)])
    func `ends when what comes is no message of its direction`(bytes: [UInt8]) throws {
        let channel = try makeChannel(KeeperToWorker.self, WorkerToKeeper.self)
        var ends: [String] = []
        try channel.start { message, _ in
            Issue.record("took \(message)")
        } onEnd: {
            ends.append($0)
        }
        try keeper.sendRaw(bytes)
        try run(loop, .when("the end", { !ends.isEmpty }))
        #expect(ends.count == 1)
        #expect(ends.first?.hasPrefix("the keeper breaks the agreement") == true)
    }
}
