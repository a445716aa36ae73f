internal import COpenSSL

/// A PKCS #10 request (RFC 2986) for a certificate of `key` with an empty subject and one URI as subjectAltName,
/// signed with SHA-256. DER. Throws `library` if OpenSSL cannot.
package func makeCSR(key: PrivateKey, uriSAN: String) throws(TLSError) -> [UInt8] {
    ERR_clear_error()
    let uri = Array(uriSAN.utf8)
    guard let length = Int32(exactly: uri.count), let request = unsafe X509_REQ_new() else {
        throw .fromQueue(otherwise: .library, "making a certificate request")
    }
    defer { unsafe X509_REQ_free(request) }
    guard let names = unsafe meshnode_general_names_of_uri(uri, length) else {
        throw .fromQueue(otherwise: .library, "making a certificate request")
    }
    defer { unsafe GENERAL_NAMES_free(names) }
    // Critical, because the subject is empty (RFC 5280 section 4.2.1.6).
    guard let alternativeName = unsafe X509V3_EXT_i2d(NID_subject_alt_name, 1, UnsafeMutableRawPointer(names)) else {
        throw .fromQueue(otherwise: .library, "encoding the subjectAltName of a certificate request")
    }
    defer { unsafe X509_EXTENSION_free(alternativeName) }
    guard unsafe X509_REQ_set_version(request, 0) == 1, unsafe X509_REQ_set_pubkey(request, key.handle) == 1,
        unsafe meshnode_req_add_extension(request, alternativeName) == 1,
        unsafe X509_REQ_sign(request, key.handle, EVP_sha256()) > 0,
        let der = unsafe DER.encode({ out in unsafe i2d_X509_REQ(request, out) })
    else { throw .fromQueue(otherwise: .library, "signing a certificate request") }
    return der
}
