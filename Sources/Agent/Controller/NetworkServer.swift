internal import CertificateAuthority
internal import ControlPlane
internal import Kernel
internal import Mesh

/// Runs the gRPC server, and keeps its certificate and what callers are checked against those of the authority.
final class NetworkServer {
    private let server: ControlPlaneServer
    private let authority: RunningAuthority
    private let log: ProcessLog
    private var renewAt: Int64

    /// - Parameter listener: a TCP socket that listens; taken over.
    /// Throws if the authority's certificates cannot be used.
    init(
        _ listener: consuming Descriptor, authority: RunningAuthority, handler: any ControlPlaneHandler,
        log: ProcessLog
    ) throws {
        let now = WallClock.secondsSince1970
        let (identity, notAfter) = try Self.makeIdentity(authority, now: now)
        let server = try ControlPlaneServer(
            .descriptor(listener.release()), identity: identity, trust: try Self.trust(of: authority), handler: handler)
        self.server = server
        self.authority = authority
        self.log = log
        renewAt = Self.renewal(now, notAfter)
        // The one task of this process: it lives as long as the process, whose own loop is a thread.
        Task {
            do {
                try await server.run()
            } catch {
                log.write(.error, "agents of other nodes are no longer served: \(error)")
            }
        }
    }

    /// Takes no more calls and tells the nodes; to cancel the task would trap where a connection is just being taken.
    deinit {
        server.shutDown()
    }

    /// The authority is another one now: so are the server's certificate and its trust.
    func authorityChanged() {
        do {
            server.replace(trust: try Self.trust(of: authority))
        } catch {
            log.write(.error, "callers are checked against the roots of before: \(error)")
        }
        renew(now: WallClock.secondsSince1970)
    }

    /// Renews the server's certificate in half of its lifetime. Called about once a second.
    func tick() {
        let now = WallClock.secondsSince1970
        if now >= renewAt { renew(now: now) }
    }

    private func renew(now: Int64) {
        do {
            let (identity, notAfter) = try Self.makeIdentity(authority, now: now)
            try server.replace(identity: identity)
            renewAt = Self.renewal(now, notAfter)
        } catch {
            log.write(.error, "the controller's own certificate cannot be renewed: \(error)")
            renewAt = now + 60
        }
    }

    private static func renewal(_ now: Int64, _ notAfter: Int64) -> Int64 { now + max(1, (notAfter - now) / 2) }

    private static func makeIdentity(
        _ authority: RunningAuthority, now: Int64
    ) throws -> (ControlPlaneIdentity, notAfter: Int64) {
        let certificate = try authority.issuer.makeControllerCertificate(now: now)
        let identity = ControlPlaneIdentity(
            chainPEM: certificate.chainPEM, keyPEM: certificate.keyPEM, trustBundlePEM: authority.trustBundlePEM)
        return (identity, certificate.notAfter)
    }

    private static func trust(of authority: RunningAuthority) throws -> MeshTrust {
        try MeshTrust(
            trustDomain: authority.trustDomain, bundlePEM: authority.trustBundlePEM,
            revokedSerials: authority.revokedSerials)
    }
}
