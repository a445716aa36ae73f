// A fixture that cannot be made ends the test run, which is what a force try does.
// swift-format-ignore-file: NeverUseForceTry, NeverForceUnwrap

import Bytes
import TLS
import TestSupport

/// One authority for all tests of this target: making one costs a process.
enum Fixtures {
    static let authority = try! FixtureAuthority()
    static let first = try! Credentials(authority.issue(sans: ["URI:spiffe://mesh/ns/a/sa/first"]))
    static let second = try! Credentials(authority.issue(sans: ["URI:spiffe://mesh/ns/a/sa/second"]))
}

/// A chain with its key.
struct Credentials {
    let chain: [Certificate]
    let key: PrivateKey
    let issued: FixtureAuthority.Issued

    init(_ issued: FixtureAuthority.Issued) throws {
        chain = try Certificate.parsePEM(issued.chainPEM)
        key = try PrivateKey(pem: issued.keyPEM)
        self.issued = issued
    }

    func context(_ role: TLSRole) throws -> TLSContext { try TLSContext(role: role, chain: chain, key: key) }
}

/// Says what it was told to say, and remembers whom it was asked about.
final class ScriptedVerifier: PeerVerifier {
    let verdict: PeerVerdict
    var asked: [[Certificate]] = []

    init(_ verdict: PeerVerdict = .accepted) { self.verdict = verdict }

    func verify(chain: [Certificate]) -> PeerVerdict {
        asked.append(chain)
        return verdict
    }
}

/// One end of an in-memory connection, with what it received and what it has to send.
final class End {
    let connection: TLSConnection
    let verifier: ScriptedVerifier
    var outbox: [UInt8] = []
    var received: [UInt8] = []
    var error: TLSError?
    var peerClosed = false
    var timesEstablished = 0
    var deliveredCount = 0
    private let pool: BufferPool
    private var unread: [UInt8] = []

    init(_ context: TLSContext, _ verdict: PeerVerdict = .accepted, blockSize: Int = 64 * 1024) throws {
        verifier = ScriptedVerifier(verdict)
        connection = try TLSConnection(context: context, verifier: verifier)
        pool = BufferPool(blockSize: blockSize, keepAtMost: 4)
    }

    func start() throws {
        try connection.startHandshake()
        flush()
    }

    func deliver(_ bytes: some Collection<UInt8>) {
        unread += bytes
        deliveredCount += bytes.count
        var plaintext = pool.makeBuffer()
        while error == nil {
            do {
                let progress = try connection.process(ciphertext: unread.span.bytes, plaintext: &plaintext)
                unread.removeFirst(progress.consumed)
                if progress.becameEstablished { timesEstablished += 1 }
                received += plaintext.withReadable { span in span.withUnsafeBytes { Array($0) } }
                plaintext.removeAll()
                if progress.stop == .closedByPeer { peerClosed = true }
                if progress.stop != .outputFull { break }
            } catch {
                self.error = error
            }
        }
        flush()
    }

    func flush() {
        var buffer = pool.makeBuffer()
        while connection.hasPendingOutput {
            connection.flushPending(into: &buffer)
            take(&buffer)
        }
    }

    func send(_ bytes: [UInt8]) throws {
        var buffer = pool.makeBuffer()
        var offset = 0
        while offset < bytes.count {
            offset += try connection.seal(bytes.span.bytes.extracting(offset..<bytes.count), into: &buffer)
            take(&buffer)
        }
    }

    func close() {
        var buffer = pool.makeBuffer()
        connection.close(into: &buffer)
        take(&buffer)
        flush()
    }

    private func take(_ buffer: inout ByteBuffer) {
        outbox += buffer.withReadable { span in span.withUnsafeBytes { Array($0) } }
        buffer.removeAll()
    }
}

/// A client and a server with nothing but arrays between them.
final class ConnectionPair {
    let client: End
    let server: End

    init(
        client clientVerdict: PeerVerdict = .accepted, server serverVerdict: PeerVerdict = .accepted,
        blockSize: Int = 64 * 1024
    ) throws {
        client = try End(Fixtures.first.context(.client), clientVerdict, blockSize: blockSize)
        server = try End(Fixtures.second.context(.server), serverVerdict, blockSize: blockSize)
        try client.start()
    }

    /// Carries bytes both ways until neither has any, in pieces of `size`.
    func carry(piecesOf size: Int = .max) {
        while !client.outbox.isEmpty || !server.outbox.isEmpty {
            Self.move(from: client, to: server, size)
            Self.move(from: server, to: client, size)
        }
    }

    private static func move(from: End, to: End, _ size: Int) {
        let bytes = from.outbox
        from.outbox = []
        var rest = bytes[...]
        while !rest.isEmpty {
            to.deliver(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
    }
}
