import Addressing
import DataPlaneTestSupport
import Foundation
import TestSupport

/// A peer with a good certificate that says on HTTP/2 whatever a test wants: `openssl s_client` with a pipe.
final class RawPeer {
    private let process = Process()
    private let input = Pipe()

    private static let issued = Result {
        try Certificates.home.issue(sans: ["URI:\(Certificates.client.identity)"])
    }

    /// Connects as `client`, with the client's preface and empty SETTINGS.
    init(connectedTo address: SocketAddress) throws {
        // A peer that was cut must not end the test run.
        signal(SIGPIPE, SIG_IGN)
        let issued = try Self.issued.get()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "s_client", "-quiet", "-connect", "\(address)", "-tls1_3", "-alpn", "h2", "-cert",
            issued.chainPath, "-key", issued.keyPath,
        ]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(4))
    }

    deinit {
        if process.isRunning { process.terminate() }
    }

    /// A peer that was cut takes no more, which is no failure here.
    func send(_ bytes: [UInt8]) {
        try? input.fileHandleForWriting.write(contentsOf: Data(bytes))
    }

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [0, UInt8(truncatingIfNeeded: payload.count >> 8), UInt8(truncatingIfNeeded: payload.count), type, flags]
            + (0..<4).map { UInt8(truncatingIfNeeded: stream >> (24 - 8 * $0)) } + payload
    }

    /// HEADERS of a request. Fields that the static table has are written out in full all the same.
    static func request(_ fields: [(String, String)], stream: UInt32, ends: Bool = false) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in fields {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
            block += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        return frame(1, flags: ends ? 5 : 4, stream: stream, block)
    }

    /// `CONNECT authority`.
    static func connect(_ authority: String, stream: UInt32) -> [UInt8] {
        request([(":method", "CONNECT"), (":authority", authority)], stream: stream)
    }

    static func reset(stream: UInt32) -> [UInt8] { frame(3, stream: stream, [0, 0, 0, 8]) }
}
