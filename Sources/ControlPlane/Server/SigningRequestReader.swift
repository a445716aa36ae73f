internal import SwiftASN1
internal import X509

/// Certificate signing requests as far as the calls need them; the authority reads them on its own.
enum SigningRequestReader {
    /// Longest request that is read, in bytes of PEM; an honest one has about 500.
    private static let maximumLength = 32768

    /// Whether `pem` is a request for `key`, false if it is no request at all. That it is signed by the key is checked by
    /// the authority.
    static func isRequest(_ pem: String, for key: Certificate.PublicKey) throws -> Bool {
        guard pem.utf8.count <= maximumLength, let document = try? PEMDocument(pemString: pem),
            let request = try? CertificateSigningRequest(pemDocument: document)
        else { return false }
        return request.publicKey == key
    }
}
