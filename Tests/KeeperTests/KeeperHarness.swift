import Glibc
import NamespaceTestSupport
import Synchronization
import Testing

@testable import Keeper
@testable import Kernel

/// A child that the keeper started: a process that sleeps, while the test has its end of the channels.
final class FakeChild: @unchecked Sendable {
    // @unchecked: made on the keeper's thread, then used by the test's alone.
    let pid: Int32
    let isWorker: Bool
    private let descriptors: DescriptorList
    private let sockets: [Int32: SocketBox]

    final class SocketBox {
        let socket: MessageSocket
        init(_ descriptor: consuming Descriptor) { socket = MessageSocket(descriptor) }
    }

    init(pid: Int32, _ specification: ChildSpecification) {
        self.pid = pid
        isWorker = specification.arguments.first == "worker"
        let numbers = specification.descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
        let channels = isWorker ? [0] + Array(6..<numbers.count) : [0]
        descriptors = DescriptorList(owning: numbers)
        var sockets: [Int32: SocketBox] = [:]
        for index in channels {
            if let end = descriptors.take(at: index) { sockets[Int32(index) + 3] = SocketBox(end) }
        }
        self.sockets = sockets
    }

    /// The number under which the child would have found it, as the test has it.
    func raw(_ inherited: Int32) -> Int32? { descriptors.raw(at: Int(inherited) - 3) }

    func send(_ message: some KeeperMessage, to inherited: Int32) throws {
        let box = try #require(sockets[inherited])
        #expect(try box.socket.send(message.encoded()) == .sent)
    }

    /// The number of one of its channels, to be waited on.
    func channelNumber(_ inherited: Int32) throws -> Int32 { try #require(sockets[inherited]).socket.raw }

    /// Closes its end of one of its channels; the others stay open.
    func close(_ inherited: Int32) throws { #expect(shutdown(try channelNumber(inherited), Int32(SHUT_RDWR)) == 0) }

    /// As `send`, with descriptors, which stay the test's.
    func send(_ message: some KeeperMessage, _ descriptors: [Int32], to inherited: Int32) throws {
        let box = try #require(sockets[inherited])
        #expect(try box.socket.send(message.encoded(), descriptors: descriptors) == .sent)
    }

    func sendRaw(_ bytes: [UInt8], to inherited: Int32) throws {
        _ = try sockets[inherited]?.socket.send(bytes)
    }

    /// The next message that comes within ten seconds.
    func receive<M: KeeperMessage>(_ type: M.Type, from inherited: Int32) throws -> (M, DescriptorList) {
        let box = try #require(sockets[inherited])
        while true {
            switch try box.socket.receive() {
            case .message(let bytes, let descriptors):
                return (try M(decoding: bytes, descriptorCount: descriptors.count), descriptors)
            case .wouldBlock:
                var entry = pollfd(fd: box.socket.raw, events: Int16(POLLIN), revents: 0)
                try #require(poll(&entry, 1, 10_000) == 1, "nothing came")
            case .closed, .oversized, .lostDescriptors:
                throw SystemError("receive", ECONNRESET)
            }
        }
    }

    /// The next report that `condition` holds for.
    func report(where condition: (PodReport) -> Bool) throws -> PodReport {
        while true {
            if case .podState(let report) = try receive(KeeperToWorker.self, from: InheritedDescriptor.Worker.control).0,
                condition(report)
            {
                return report
            }
        }
    }

    /// The next facts that `condition` holds for.
    func facts(where condition: (KeeperFacts) -> Bool) throws -> KeeperFacts {
        while true {
            if case .facts(let facts) = try receive(KeeperToWorker.self, from: InheritedDescriptor.Worker.control).0,
                condition(facts)
            {
                return facts
            }
        }
    }

    func nextLoopMessage() throws -> (KeeperToLoop, DescriptorList) {
        try receive(KeeperToLoop.self, from: InheritedDescriptor.Worker.firstLoop)
    }
}

/// What a keeper logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    func append(_ line: String) { lines.withLock { $0.append(line) } }

    func contains(_ part: String) -> Bool { lines.withLock { $0.contains { $0.contains(part) } } }
}

/// A keeper on a thread of its own, whose children are fakes.
final class KeeperHarness: @unchecked Sendable {
    // @unchecked: `started` has its lock, the rest is set before the thread starts or after it ends.
    private let started = Mutex<[FakeChild]>([])
    let log = LogLines()
    private var known: [FakeChild] = []
    private let wakeUp: (reader: Int32, writer: Int32)
    private var thread = pthread_t()
    private var keeper: NodeKeeper?
    private(set) var failure: KeeperError?
    let directory: String
    private static let counter = Atomic<Int>(0)

    /// Starts it; `failure` says why it does not run.
    init(_ change: (inout KeeperConfiguration) -> Void = { _ in }) {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        directory = "/tmp/mnt-keeper-run-\(CurrentProcess.pid)-\(number)"
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        wakeUp = (ends[0], ends[1])
        var configuration = KeeperConfiguration(
            workerArguments: ["worker"], controllerArguments: ["controller"], metricsPort: 0, readinessPort: 0
        ) { [log] level, line in
            log.append(line)
            if getenv("KEEPER_TEST_LOG") != nil { print("keeper \(level): \(line)") }
        }
        configuration.runDirectory = directory
        change(&configuration)
        let ready = DispatchOnce()
        let body = Body { [self, configuration] in
            do {
                let keeper = try NodeKeeper(configuration) { specification throws(SystemError) in
                    try self.launch(specification)
                }
                self.keeper = keeper
                ready.signal()
                do {
                    try keeper.run(handlesSignals: false)
                } catch {
                    failure = error as? KeeperError
                }
            } catch {
                failure = error as? KeeperError
                ready.signal()
            }
        }
        pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(body).toOpaque())
        ready.wait()
    }

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    private final class DispatchOnce: @unchecked Sendable {
        // @unchecked: a pipe is safe to use from two threads.
        private var ends: [Int32] = [-1, -1]
        init() { pipe(&ends) }
        func signal() { write(ends[1], "x", 1) }
        func wait() {
            var byte: UInt8 = 0
            while read(ends[0], &byte, 1) < 0 {}
        }
    }

    private func launch(_ specification: ChildSpecification) throws(SystemError) -> ChildProcess {
        var sleeper = ChildSpecification(arguments: ["sleep", "1000"])
        sleeper.path = "/bin/sleep"
        sleeper.parentDeathSignal = SIGKILL
        let process = try ChildProcess.start(sleeper)
        let child = FakeChild(pid: process.pid, specification)
        started.withLock { $0.append(child) }
        write(wakeUp.writer, "x", 1)
        return process
    }

    /// The next child of its kind that the keeper starts, or has started.
    func next(isWorker: Bool) throws -> FakeChild {
        while true {
            let child = started.withLock { children -> FakeChild? in
                guard let index = children.firstIndex(where: { $0.isWorker == isWorker }) else { return nil }
                return children.remove(at: index)
            }
            if let child {
                // Its end of the channels is open as long as the harness is there.
                started.withLock { _ in known.append(child) }
                return child
            }
            var entry = pollfd(fd: wakeUp.reader, events: Int16(POLLIN), revents: 0)
            try #require(poll(&entry, 1, 10_000) == 1, "no child was started")
            var byte: UInt8 = 0
            read(wakeUp.reader, &byte, 1)
        }
    }

    func stop() { keeper?.stop() }

    /// Waits until the keeper has ended; its last resources go with it.
    /// - Parameter leavesDirectory: another keeper has it now.
    func join(leavesDirectory: Bool = false) {
        pthread_join(thread, nil)
        keeper = nil
        known = []
        if !leavesDirectory { shell("rm -rf \(directory)") }
    }
}
