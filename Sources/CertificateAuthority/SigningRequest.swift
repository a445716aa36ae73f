import Crypto
import SwiftASN1
import X509

/// Reads certificate signing requests (RFC 2986), which come from others: only the key is taken from them.
enum SigningRequest {
    /// Longest request that is read, in bytes; an honest one has about 300.
    static let maximumLength = 16384

    /// The key of a request that it signed itself.
    /// - Throws: `invalidRequest`.
    static func publicKey(der: [UInt8]) throws(AuthorityError) -> Certificate.PublicKey {
        guard der.count <= maximumLength else { throw refused("has \(der.count) bytes, more than \(maximumLength)") }
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(derEncoded: der)
        } catch {
            throw refused("is malformed")
        }
        guard P256.Signing.PublicKey(request.publicKey) != nil else { throw refused("is not for a P-256 key") }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw refused("is not signed with its own key")
        }
        return request.publicKey
    }

    /// The DER inside a PEM request.
    /// - Throws: `invalidRequest`.
    static func der(pem: String) throws(AuthorityError) -> [UInt8] {
        guard pem.utf8.count <= 2 * maximumLength else { throw refused("has \(pem.utf8.count) bytes") }
        do {
            let document = try PEMDocument(pemString: pem)
            guard document.discriminator == "CERTIFICATE REQUEST" else {
                throw refused("is no PEM document of the type CERTIFICATE REQUEST")
            }
            return document.derBytes
        } catch let error as AuthorityError {
            throw error
        } catch {
            throw refused("is no PEM document")
        }
    }

    private static func refused(_ what: String) -> AuthorityError {
        AuthorityError(.invalidRequest, "the certificate signing request \(what)")
    }
}
