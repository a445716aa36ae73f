import Bytes
import Foundation
import HTTP
import Mesh
import TLS
import Tunnel

/// Two ends of a tunnel with nothing between them but memory, and TLS if wanted.
final class TunnelWire {
    private let pool = BufferPool(blockSize: 64 << 10, keepAtMost: 8)
    private let dialler: TunnelEnd
    private let accepter: TunnelEnd
    private var now = ContinuousClock.now

    /// What a stream of the round trip did not do.
    struct Incomplete: Error {}

    init(seals: Bool) throws {
        dialler = try TunnelEnd(.dialling, pool: pool, at: now)
        accepter = try TunnelEnd(.accepting, pool: pool, at: now)
        if seals { try startTLS() }
        try exchange()
    }

    /// A stream from its CONNECT to its end: `payload` there and back.
    func roundTrip(_ request: ConnectRequest, _ payload: [UInt8]) throws {
        // A stream each millisecond: at one instant so many would be taken for a flood.
        now += .milliseconds(1)
        let before = (dialler.closedCount, dialler.receivedCount)
        let stream = try dialler.session.openStream(request, token: 1)
        try exchange()
        try dialler.send(stream, payload)
        dialler.session.finish(stream)
        try exchange()
        guard let accepted = accepter.accepted else { throw Incomplete() }
        try accepter.send(accepted, payload)
        accepter.session.finish(accepted)
        try exchange()
        guard dialler.closedCount == before.0 + 1, dialler.receivedCount == before.1 + payload.count else {
            throw Incomplete()
        }
    }

    private func exchange() throws {
        while try dialler.deliver(to: accepter, at: now) || accepter.deliver(to: dialler, at: now) {}
    }

    private func startTLS() throws {
        let (chain, key) = try (Certificate.parsePEM(Self.file("chain.pem")), PrivateKey(pem: Self.file("key.pem")))
        let connections = try [TLSRole.client, .server].map { role in
            try TLSConnection(
                context: TLSContext(role: role, chain: chain, key: key), verifier: TrustingVerifier())
        }
        dialler.tls = connections[0]
        accepter.tls = connections[1]
        try dialler.tls?.startHandshake()
        while try dialler.deliver(to: accepter, at: now) || accepter.deliver(to: dialler, at: now) {}
    }
}

extension TunnelWire {
    /// Where hack/microbench.sh has put a certificate and its key: no key is committed.
    private static let credentials = "MESHNODE_MICRO_CREDENTIALS"

    /// There are no credentials: use hack/microbench.sh.
    struct NoCredentials: Error {}

    private static func file(_ name: String) throws -> [UInt8] {
        guard let directory = ProcessInfo.processInfo.environment[credentials],
            let content = FileManager.default.contents(atPath: "\(directory)/\(name)")
        else { throw NoCredentials() }
        return [UInt8](content)
    }
}

/// Takes every chain: whom to trust is not what is measured.
private final class TrustingVerifier: PeerVerifier {
    func verify(chain: [Certificate]) -> PeerVerdict { .accepted }
}

/// One end: a session, its outgoing plaintext, and the TLS connection around it if there is one.
private final class TunnelEnd {
    let session: TunnelSession
    var tls: TLSConnection?
    /// The accepting side's stream of this round trip.
    private(set) var accepted: StreamID?
    private(set) var closedCount = 0
    private(set) var receivedCount = 0
    private var isEstablished = false
    private var plaintext: ByteBuffer
    private var ciphertext: ByteBuffer
    private var opened: ByteBuffer

    init(_ role: TunnelRole, pool: BufferPool, at now: ContinuousClock.Instant) throws {
        session = try TunnelSession(role: role, at: now)
        plaintext = pool.makeBuffer()
        ciphertext = pool.makeBuffer()
        opened = pool.makeBuffer()
    }

    func send(_ stream: StreamID, _ bytes: [UInt8]) throws {
        guard try session.send(stream, bytes.span.bytes, into: &plaintext) == bytes.count else {
            throw TunnelWire.Incomplete()
        }
    }

    /// Carries all that this end has to say to `peer`: whether that was anything.
    func deliver(to peer: TunnelEnd, at now: ContinuousClock.Instant) throws -> Bool {
        guard let tls else {
            try session.drain(into: &plaintext)
            takeEvents(at: now)
            guard !plaintext.isEmpty else { return false }
            try plaintext.withReadable { try peer.receive($0, at: now) }
            plaintext.removeAll()
            return true
        }
        if isEstablished {
            try session.drain(into: &plaintext)
            takeEvents(at: now)
            if !plaintext.isEmpty {
                let sealed = try plaintext.withReadable { try tls.seal($0, into: &ciphertext) }
                plaintext.consume(sealed)
            }
        }
        tls.flushPending(into: &ciphertext)
        guard !ciphertext.isEmpty else { return false }
        try ciphertext.withReadable { try peer.receive(sealed: $0, at: now) }
        ciphertext.removeAll()
        return true
    }

    private func receive(sealed bytes: RawSpan, at now: ContinuousClock.Instant) throws {
        guard let tls else { return }
        let progress = try tls.process(ciphertext: bytes, plaintext: &opened)
        guard progress.consumed == bytes.byteCount else { throw TunnelWire.Incomplete() }
        if progress.becameEstablished { isEstablished = true }
        guard !opened.isEmpty else { return }
        try opened.withReadable { try receive($0, at: now) }
        opened.removeAll()
    }

    private func receive(_ bytes: RawSpan, at now: ContinuousClock.Instant) throws {
        try session.receive(bytes, at: now)
        takeEvents(at: now)
    }

    private func takeEvents(at now: ContinuousClock.Instant) {
        while let event = session.nextEvent(at: now) {
            switch event {
            case .connectRequested(let stream):
                guard case .success = session.request(of: stream) else { continue }
                accepted = stream
                session.accept(stream, token: 2)
            case .data(let stream, _, _, let count):
                receivedCount += count
                session.consume(stream, count)
            case .closed:
                closedCount += 1
            default:
                break
            }
        }
    }
}
