import Crypto
import X509

/// The key that a certificate is asked for.
package enum RequestedKey {
    /// SHA-256 of the public key of a signing request (its SubjectPublicKeyInfo).
    /// - Parameter pem: the request, whose own signature is checked.
    /// - Throws: `invalidRequest`.
    package static func hash(ofRequestPEM pem: String) throws(AuthorityError) -> [UInt8] {
        let key = try SigningRequest.publicKey(der: try SigningRequest.der(pem: pem))
        return Array(SHA256.hash(data: Array(key.subjectPublicKeyInfoBytes)))
    }
}
