internal import CertificateAuthority
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import Synchronization
internal import X509

/// Looks at the certificates of a controller that is dialled, and remembers why it did not like them: the transport only
/// tells that a handshake failed.
final class ControllerCheck: Sendable {
    private let failure = Mutex<ControlPlaneError?>(nil)
    private let check: @Sendable ([Certificate]) async throws(ControlPlaneError) -> Void

    init(_ check: @escaping @Sendable ([Certificate]) async throws(ControlPlaneError) -> Void) {
        self.check = check
    }

    /// Why the controller was not accepted; nil if it was, or did not come as far.
    var reason: ControlPlaneError? { failure.withLock { $0 } }

    func verify(_ certificates: [NIOSSLCertificate]) async -> NIOSSLVerificationResultWithMetadata {
        do {
            let chain = try certificates.map { try Certificate(derEncoded: $0.toDERBytes()) }
            try await check(chain)
            return .certificateVerified(VerificationMetadata(nil))
        } catch {
            let reason =
                error as? ControlPlaneError
                ?? ControlPlaneError(.untrustedPeer, "the controller's certificate is malformed: \(error)")
            failure.withLock { $0 = reason }
            return .failed
        }
    }
}

/// Makes the transports on which nodes dial a controller.
enum ControllerTransport {
    /// - Parameters:
    ///   - chainPEM: what we show, the leaf first.
    ///   - keyPEM: its key.
    /// - Throws: `invalidConfiguration`.
    static func make(
        _ endpoint: ControllerEndpoint, chainPEM: [String], keyPEM: String, check: ControllerCheck,
        liveness: Liveness = Liveness()
    ) throws(ControlPlaneError) -> HTTP2ClientTransport.Posix {
        let security = HTTP2ClientTransport.Posix.TransportSecurity.mTLS(
            certificateChain: chainPEM.map { .bytes(Array($0.utf8), format: .pem) },
            privateKey: .bytes(Array(keyPEM.utf8), format: .pem)
        ) { tls in
            // Our check is the only one: the names of controllers are SPIFFE IDs, not host names.
            tls.serverCertificateVerification = .noHostnameVerification
            tls.customVerificationCallback = { certificates, promise in
                promise.completeWithTask { await check.verify(certificates) }
            }
        }
        do {
            return try HTTP2ClientTransport.Posix(
                target: endpoint.target, transportSecurity: security, config: configuration(liveness))
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "the node's certificate cannot be used: \(error)")
        }
    }

    private static func configuration(_ liveness: Liveness) -> HTTP2ClientTransport.Posix.Config {
        .defaults { config in
            config.connection.keepalive = .init(
                time: liveness.silence, timeout: liveness.answer, allowWithoutCalls: true)
            config.connection.maxIdleTime = nil
            config.backoff = .init(initial: .milliseconds(100), max: .seconds(10), multiplier: 2, jitter: 0.2)
        }
    }
}

extension CallOptions {
    /// - Parameter timeout: nil for a stream.
    static func toController(timeout: Duration?) -> CallOptions {
        var options = CallOptions.defaults
        // Whether to try again is decided where the operator is told about it.
        options.waitForReady = false
        options.timeout = timeout
        options.maxResponseMessageBytes = ControlPlaneLimit.messageFromController
        options.maxRequestMessageBytes = ControlPlaneLimit.messageFromNode
        return options
    }
}
