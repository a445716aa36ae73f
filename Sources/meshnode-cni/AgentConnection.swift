internal import CNI
internal import Glibc

/// The connection to the agent of this node.
enum AgentConnection {
    /// Sends `frame` to the agent at `path` and takes its answer.
    /// - Returns: nil if there is none until `deadline`, or something else came.
    static func ask(at path: String, _ frame: [UInt8], until deadline: ContinuousClock.Instant) -> PluginAnswer? {
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        guard connect(socket, path, until: deadline), send(frame, on: socket, until: deadline) else { return nil }
        return receive(on: socket, until: deadline)
    }

    private static func connect(_ socket: Int32, _ path: String, until deadline: ContinuousClock.Instant) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        while true {
            let result = unsafe withUnsafePointer(to: &address) {
                unsafe Glibc.connect(socket, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self), length)
            }
            if result == 0 { return true }
            // A full backlog is EAGAIN, and no event tells when there is room (unix(7)).
            guard errno == EAGAIN || errno == EINTR, ContinuousClock.now < deadline else { return false }
            _ = poll(nil, 0, 10)
        }
    }

    private static func send(_ frame: [UInt8], on socket: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var rest = frame[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe write(socket, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                guard wait(for: Int16(POLLOUT), on: socket, until: deadline) else { return false }
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    private static func receive(on socket: Int32, until deadline: ContinuousClock.Instant) -> PluginAnswer? {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            switch PluginFrame.readAnswer(received) {
            case .complete(let answer): return answer
            case .malformed: return nil
            case .incomplete: break
            }
            guard wait(for: Int16(POLLIN), on: socket, until: deadline) else { return nil }
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(socket, $0.baseAddress, $0.count) }
            if count > 0 {
                received += chunk[..<count]
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return nil
            }
        }
    }

    private static func wait(for events: Int16, on socket: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        let (seconds, attoseconds) = ContinuousClock.now.duration(to: deadline).components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        guard milliseconds > 0 else { return false }
        var entry = pollfd(fd: socket, events: events, revents: 0)
        return unsafe poll(&entry, 1, Int32(clamping: milliseconds)) != 0
    }
}
