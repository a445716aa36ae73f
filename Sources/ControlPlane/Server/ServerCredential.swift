internal import NIOCertificateReloading
internal import NIOSSL
internal import Synchronization

/// The certificate that the server shows, which may be replaced while it runs: the next handshake has the new one.
final class ServerCredential: CertificateReloader, Sendable {
    private let current: Mutex<NIOSSLContextConfigurationOverride>

    init(_ identity: ControlPlaneIdentity) throws(ControlPlaneError) {
        current = Mutex(try Self.makeOverride(identity))
    }

    var sslContextConfigurationOverride: NIOSSLContextConfigurationOverride { current.withLock { $0 } }

    func replace(with identity: ControlPlaneIdentity) throws(ControlPlaneError) {
        let next = try Self.makeOverride(identity)
        current.withLock { $0 = next }
    }

    private static func makeOverride(
        _ identity: ControlPlaneIdentity
    ) throws(ControlPlaneError) -> NIOSSLContextConfigurationOverride {
        do {
            // The roots go along, so that a node that joins can find the one that its token names.
            let chain = (identity.chainPEM + [identity.trustBundlePEM]).joined(separator: "\n")
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(chain.utf8))
                .map(NIOSSLCertificateSource.certificate)
            override.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem))
            return override
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "the controller's certificate or key is malformed: \(error)")
        }
    }
}

/// What the controller shows to nodes, all PEM.
package struct ControlPlaneIdentity: Sendable {
    /// The leaf first, then what is between, without the roots.
    package var chainPEM: [String]
    /// The leaf's private key: a secret.
    package var keyPEM: String
    /// Every root that is trusted.
    package var trustBundlePEM: String

    package init(chainPEM: [String], keyPEM: String, trustBundlePEM: String) {
        self.chainPEM = chainPEM
        self.keyPEM = keyPEM
        self.trustBundlePEM = trustBundlePEM
    }
}
