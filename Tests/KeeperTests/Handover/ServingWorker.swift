import Glibc
import Synchronization
import Testing

@testable import Keeper
@testable import Kernel

/// Plays the worker on a thread of its own: takes the listeners of pods, answers each connection to 15006 with one
/// byte, and ends when it is told to drain.
final class ServingWorker: @unchecked Sendable {
    // @unchecked: `count` has its lock, the rest belongs to the thread once it runs.
    private let child: FakeChild
    private let count = Mutex(0)
    private var thread = pthread_t()
    private let saysReady: Bool

    init(_ child: FakeChild, saysReady: Bool = true) {
        self.child = child
        self.saysReady = saysReady
        pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<ServingWorker>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
    }

    /// Connections that were answered.
    var served: Int { count.withLock { $0 } }

    /// Waits until it has ended.
    func join() { pthread_join(thread, nil) }

    private func run() {
        var listeners: [Int32] = []
        do {
            let channel = try child.channelNumber(InheritedDescriptor.Worker.firstLoop)
            while true {
                var entries = ([channel] + listeners).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                guard poll(&entries, nfds_t(entries.count), 20_000) > 0 else { break }
                for entry in entries.dropFirst() where entry.revents != 0 { serve(entry.fd) }
                guard entries[0].revents != 0 else { continue }
                let (message, descriptors) = try child.nextLoopMessage()
                switch message {
                case .podEnrolled:
                    if let listener = descriptors.take(at: 1) { listeners.append(listener.release()) }
                    if saysReady { try child.send(WorkerToKeeper.ready, to: InheritedDescriptor.Worker.control) }
                case .drain:
                    for listener in listeners { close(listener) }
                    kill(child.pid, SIGKILL)
                    return
                case .podWithdrawn, .sockets, .socketsFailed: break
                }
            }
        } catch {}
        for listener in listeners { close(listener) }
    }

    private func serve(_ listener: Int32) {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        _ = send(connection, "x", 1, Int32(MSG_NOSIGNAL))
        close(connection)
        count.withLock { $0 += 1 }
    }
}

/// Connects all the time, from a namespace of its own, until it is stopped.
final class SteadyClient: @unchecked Sendable {
    // @unchecked: what both threads touch has its lock.
    struct Tally {
        var answered = 0
        var refused = 0
        var cut = 0
        var unanswered = 0
        var longest = Duration.zero
    }

    private let tally = Mutex(Tally())
    private let isStopped = Mutex(false)
    private let address: (ip: String, port: UInt16)
    private let namespace: NetworkNamespace
    private var thread = pthread_t()

    init(from namespace: NetworkNamespace, to ip: String, _ port: UInt16) {
        self.namespace = namespace
        address = (ip, port)
        pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<SteadyClient>.fromOpaque(raw).takeRetainedValue().run() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
    }

    var soFar: Tally { tally.withLock { $0 } }

    func stop() -> Tally {
        isStopped.withLock { $0 = true }
        pthread_join(thread, nil)
        return soFar
    }

    private func run() {
        try? namespace.perform {
            while !isStopped.withLock({ $0 }) {
                connectOnce()
                // Some hundred a second: more would use up the ports of one address.
                poll(nil, 0, 2)
            }
        }
    }

    private func connectOnce() {
        let began = ContinuousClock.now
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = address.port.bigEndian
        inet_pton(AF_INET, address.ip, &target.sin_addr)
        let result = withUnsafePointer(to: &target) {
            connect(
                socket, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard result == 0 else { return tally.withLock { $0.refused += 1 } }
        var byte: UInt8 = 0
        let count = read(socket, &byte, 1)
        let code = errno
        let took = ContinuousClock.now - began
        tally.withLock {
            $0.longest = max($0.longest, took)
            switch count {
            case 1: $0.answered += 1
            case 0: $0.cut += 1
            default: if code == EAGAIN { $0.unanswered += 1 } else { $0.cut += 1 }
            }
        }
    }
}
