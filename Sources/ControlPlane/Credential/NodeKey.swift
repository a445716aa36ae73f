internal import Crypto
internal import FoundationEssentials
internal import SwiftASN1
internal import X509

/// A node's private key (P-256), made on the node and never sent.
package struct NodeKey: Sendable {
    private let key: P256.Signing.PrivateKey

    /// Makes a new one.
    package init() {
        key = P256.Signing.PrivateKey()
    }

    /// Reads PEM (PKCS #8).
    /// - Throws: `invalidConfiguration`.
    package init(pem: String) throws(ControlPlaneError) {
        do {
            key = try P256.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            // The error is not in the message: it may quote the key.
            throw ControlPlaneError(.invalidConfiguration, "the node's private key is no PEM of a P-256 key")
        }
    }

    /// PEM (PKCS #8): a secret.
    package var pem: String { key.pemRepresentation }

    /// A signing request for this key, PEM. It names nobody: the signer knows who asks.
    /// - Throws: `invalidConfiguration` if it cannot be made.
    package func signingRequestPEM() throws(ControlPlaneError) -> String {
        do {
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName(), privateKey: privateKey,
                attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: .ecdsaWithSHA256)
            return try request.serializeAsPEM().pemString
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "no signing request can be made: \(error)")
        }
    }

    /// A certificate by which the key is proved before there is a better one. It names nobody.
    func selfSignedCertificatePEM() throws(ControlPlaneError) -> String {
        do {
            let name = try DistinguishedName { CommonName("joining node") }
            let now = Date()
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: privateKey.publicKey,
                notValidBefore: now - 3600, notValidAfter: now + 86400, issuer: name, subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions { Critical(BasicConstraints.notCertificateAuthority) },
                issuerPrivateKey: privateKey)
            return try certificate.serializeAsPEM().pemString
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "no certificate of the node's key can be made: \(error)")
        }
    }

    /// Whether `certificate` is for this key.
    func isKey(of certificate: Certificate) -> Bool { certificate.publicKey == privateKey.publicKey }

    private var privateKey: Certificate.PrivateKey { Certificate.PrivateKey(key) }
}
