import Foundation
import Glibc

/// A TCP connection to the `openssl` command in one of its roles: a peer that is not this library.
final class OpenSSLPeer {
    private let process: Process
    private let input = Pipe()
    private let descriptor: Int32

    private struct Failed: Error {
        let what: String
        let code = errno
    }

    /// `openssl s_client`, connected to here. `says` is what it sends once the handshake is over.
    ///
    /// - Parameter isInteractive: it obeys commands at the start of a line, such as `K`.
    init(client arguments: [String], says text: String = "", isInteractive: Bool = false) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw Failed(what: "socket") }
        defer { Glibc.close(listener) }
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound, listen(listener, 1) == 0 else { throw Failed(what: "listen") }
        Self.limitWaiting(listener)
        process = try Self.run(
            ["s_client", "-connect", "127.0.0.1:\(UInt16(bigEndian: address.sin_port))"]
                + (isInteractive ? [] : ["-quiet"]) + arguments,
            input: input, output: nil)
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { throw Failed(what: "accept") }
        Self.limitWaiting(descriptor)
    }

    /// `openssl s_server`, which sends each line back reversed.
    init(server arguments: [String]) throws {
        let output = Pipe()
        process = try Self.run(
            ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev"] + arguments, input: input, output: output)
        var said = ""
        while !said.contains("\n") || !said.contains("ACCEPT") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failed(what: "s_server ended: \(said)") }
            said += String(decoding: data, as: UTF8.self)
        }
        guard let line = said.split(separator: "\n").first(where: { $0.hasPrefix("ACCEPT") }),
            let colon = line.lastIndex(of: ":"),
            let port = UInt16(line[line.index(after: colon)...])
        else { throw Failed(what: "s_server said \(said)") }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        Self.limitWaiting(descriptor)
        var address = Self.loopback(port: port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { throw Failed(what: "connect") }
    }

    /// On the peer's standard input.
    func type(_ text: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    deinit {
        Glibc.close(descriptor)
        process.terminate()
        process.waitUntilExit()
    }

    /// Carries bytes between `end` and the peer until `isDone`, `end` fails, or the peer closes.
    func converse(with end: End, until isDone: () -> Bool) throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var rest = end.outbox[...]
            end.outbox = []
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
            if isDone() || end.error != nil { return }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN { throw Failed(what: "the peer says nothing") }
            guard count > 0 else { return }
            end.deliver(buffer[..<count])
        }
    }

    private static func run(_ arguments: [String], input: Pipe, output: Pipe?) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = input
        process.standardOutput = output ?? FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// A peer that hangs fails the test instead of stopping the run.
    private static func limitWaiting(_ descriptor: Int32) {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
}
