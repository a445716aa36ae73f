import Foundation
import Glibc
import Synchronization

/// A TCP connection to a port of this machine, without any protocol on it.
final class PlainConnection: Sendable {
    private let descriptor: Int32

    /// Nil if nobody takes it.
    init?(to port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard result == 0 else { return nil }
    }

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    func write(_ bytes: [UInt8]) -> Bool { send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count }

    /// What comes next; empty when the other end is gone.
    func read() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// The same without holding a thread of those that all tasks share.
    func next() async -> [UInt8] {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.read()) }
        }
    }

    /// Closes with a reset, as a peer does that crashed.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// As many descriptors as this process may have.
    static func allowManyDescriptors() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 65536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Passes connections on to a port, until it is told to say nothing any more: then it is like a machine that vanished.
final class Relay: Sendable {
    let port: UInt16
    private let listener: Int32
    private let target: UInt16
    private let silence = Atomic(false)

    init(to target: UInt16) throws {
        self.target = target
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw CancellationError() }
        port = address.sin_port.bigEndian
        Thread.detachNewThread { [self] in serve() }
    }

    /// From now on nothing is passed on, and no connection is closed.
    func vanish() { silence.store(true, ordering: .releasing) }

    func end() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { break }
            let near = PlainConnection(accepted)
            guard let far = PlainConnection(to: target) else { continue }
            Thread.detachNewThread { self.pump(from: near, to: far) }
            Thread.detachNewThread { self.pump(from: far, to: near) }
        }
        close(listener)
    }

    private func pump(from: PlainConnection, to: PlainConnection) {
        while true {
            let bytes = from.read()
            // One that vanished says nothing of its end either.
            if silence.load(ordering: .acquiring) {
                if bytes.isEmpty { return }
                continue
            }
            guard !bytes.isEmpty, to.write(bytes) else { return to.shutDown() }
        }
    }
}
