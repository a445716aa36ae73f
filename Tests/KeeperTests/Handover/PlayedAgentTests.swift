import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Keeper
@testable import Kernel

/// One side of a hand-over is the keeper, the other is played.
extension KeeperTests {
    /// Plays the agent that runs: holds the lock and answers at the socket.
    private final class PlayedAgent: @unchecked Sendable {
        // @unchecked: set up before its thread starts, and joined before anything else touches it.
        let directory = "/tmp/mnt-keeper-played-\(CurrentProcess.pid)-\(UInt32.random(in: 0 ... .max))"
        private var lock: FileLock?
        private var listener: Descriptor?
        private let answer: (borrowing MessageSocket) throws -> Void
        private var thread = pthread_t()

        init(_ answer: @escaping (borrowing MessageSocket) throws -> Void) throws {
            self.answer = answer
            try Files.makeDirectory(directory, mode: 0o755)
            if case .locked(let lock) = try FileLock.acquire("\(directory)/agent.lock") { self.lock = consume lock }
            listener = try UnixSocket.listen("\(directory)/handover.sock", .messages, mode: 0o600)
            pthread_create(
                &thread, nil,
                { raw in
                    if let raw { Unmanaged<PlayedAgent>.fromOpaque(raw).takeRetainedValue().run() }
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
        }

        private func run() {
            guard let number = listener?.raw else { return }
            var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 10_000) == 1, case .accepted(let descriptor) = UnixSocket.accept(number: number)
            else { return }
            try? answer(MessageSocket(descriptor))
            // It is gone then, as if it had been killed.
            listener = nil
            lock = nil
        }

        func end() {
            pthread_join(thread, nil)
            shell("rm -rf \(directory)")
        }
    }

    private func hear(_ socket: borrowing MessageSocket) throws -> SuccessorToAgent {
        try #require(try socket.waitUntilReadable(until: .now + .seconds(10)))
        guard case .message(let bytes, let descriptors) = try socket.receive() else {
            throw KeeperError(.handover, "nothing came")
        }
        return try SuccessorToAgent(decoding: bytes, descriptorCount: descriptors.count)
    }

    private func start(after agent: PlayedAgent) -> KeeperHarness {
        KeeperHarness { $0.runDirectory = agent.directory }
    }

    @Test func `an agent of another layout is not succeeded, and it is said which is newer`() throws {
        let agent = try PlayedAgent { socket in
            #expect(try self.hear(socket) == .hello(layout: 1, pid: UInt32(CurrentProcess.pid)))
            _ = try socket.send(AgentToSuccessor.refused(layout: 2, pid: 4711, .layout).encoded())
        }
        let harness = start(after: agent)
        harness.join()
        agent.end()
        #expect(harness.failure?.code == .handover)
        #expect(
            harness.failure?.message
                == "the agent that runs (process 4711) does not hand over: it is a newer agent that hands over in layout "
                + "2, this one understands 1: stop it first")
    }

    @Test func `an agent that dies in the middle of telling everything is followed by one that starts anew`() throws {
        let agent = try PlayedAgent { socket in
            _ = try self.hear(socket)
            let level =
                UInt32(try CgroupHierarchy.path().split(separator: "/").filter { !$0.hasPrefix("meshnode-") }.count) + 1
            _ = try socket.send(
                AgentToSuccessor.welcome(layout: 1, pid: 4711, exemption: .cgroup, level: level).encoded())
            _ = try self.hear(socket)
        }
        let harness = start(after: agent)
        try #require(harness.failure == nil)
        let worker = try harness.next(isWorker: true)
        #expect(try worker.facts { _ in true }.counters.handovers == 0)
        harness.stop()
        kill(worker.pid, SIGKILL)
        harness.join()
        agent.end()
    }

    @Test func `whoever says what makes no sense at the hand-over socket is sent away, and the agent goes on`() throws {
        let harness = KeeperHarness()
        let worker = try harness.next(isWorker: true)
        func visit(_ bytes: [UInt8]) throws -> MessageSocket {
            let descriptor = try UnixSocket.connect("\(harness.directory)/handover.sock", .messages)
            try descriptor.setNonblocking(true)
            let socket = MessageSocket(descriptor)
            #expect(try socket.send(bytes) == .sent)
            try #require(try socket.waitUntilReadable(until: .now + .seconds(10)))
            return socket
        }
        for bytes in [
            [1, 2, 3], try AgentToSuccessor.yielded.encoded(), try ControllerToKeeper.podsComplete.encoded(),
        ] {
            guard case .closed = try visit(bytes).receive() else {
                Issue.record("it is still heard")
                continue
            }
        }
        guard
            case .message(let bytes, _) = try visit(SuccessorToAgent.hello(layout: 99, pid: 1).encoded()).receive()
        else {
            Issue.record("no answer")
            return
        }
        #expect(
            try AgentToSuccessor(decoding: bytes, descriptorCount: 0)
                == .refused(layout: 1, pid: UInt32(CurrentProcess.pid), .layout))
        let (facts, _) = try KeeperFactsReader.read(path: "\(harness.directory)/keeper.sock")
        #expect(facts.handover == .none)
        harness.stop()
        kill(worker.pid, SIGKILL)
        harness.join()
    }
}
