internal import COpenSSL

/// A P-256 private key. It never changes and is freed with the last reference.
@safe package final class PrivateKey: @unchecked Sendable {
    // @unchecked: an EVP_PKEY that nobody changes may be used by several threads at a time (its reference count and its
    // export cache are locked by OpenSSL); nothing here changes it after `init`.
    let handle: OpaquePointer

    /// Takes over the reference in `handle`.
    private init(owning handle: OpaquePointer) throws(TLSError) {
        unsafe self.handle = handle
        guard unsafe EVP_PKEY_get_base_id(handle) == EVP_PKEY_EC, unsafe EVP_PKEY_get_bits(handle) == 256 else {
            throw TLSError(.badKey, "the private key is not a P-256 key")
        }
    }

    deinit { unsafe EVP_PKEY_free(handle) }

    /// A fresh key from OpenSSL's random generator.
    package static func generate() throws(TLSError) -> PrivateKey {
        ERR_clear_error()
        guard let handle = unsafe meshnode_p256_generate() else {
            throw .fromQueue(otherwise: .library, "making a P-256 key")
        }
        return try unsafe PrivateKey(owning: handle)
    }

    /// Reads PKCS #8 or SEC 1. Throws `badKey` if it is neither, is followed by other bytes or is not on P-256.
    package convenience init(der: [UInt8]) throws(TLSError) {
        ERR_clear_error()
        let handle: OpaquePointer? = unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let handle = unsafe d2i_AutoPrivateKey(nil, &cursor, bytes.count) else { return nil }
            guard let cursor = unsafe cursor, let start = bytes.baseAddress, unsafe cursor - start == bytes.count else {
                unsafe EVP_PKEY_free(handle)
                return nil
            }
            return unsafe handle
        }
        guard let handle = unsafe handle else { throw .fromQueue(otherwise: .badKey, "reading a private key") }
        try unsafe self.init(owning: handle)
    }

    /// Reads the first unencrypted private key in `pem`. Throws `badKey` if there is none.
    package convenience init(pem: [UInt8]) throws(TLSError) {
        guard !pem.isEmpty else { throw TLSError(.badKey, "an empty private key") }
        let handle = try unsafe PEM.withMemoryBIO(reading: pem) { bio throws(TLSError) in
            // With no callback the last argument is the password: an empty one, so that OpenSSL never asks a terminal.
            var noPassword: CChar = 0
            guard let handle = unsafe PEM_read_bio_PrivateKey(bio, nil, nil, &noPassword) else {
                throw .fromQueue(otherwise: .badKey, "reading a PEM private key")
            }
            return unsafe handle
        }
        try unsafe self.init(owning: handle)
    }

    /// The key as PKCS #8. A secret: for the sealed hand-over only.
    package func der() throws(TLSError) -> [UInt8] {
        ERR_clear_error()
        guard let info = unsafe EVP_PKEY2PKCS8(handle) else {
            throw .fromQueue(otherwise: .library, "writing a private key")
        }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(info) }
        guard let bytes = unsafe DER.encode({ out in unsafe i2d_PKCS8_PRIV_KEY_INFO(info, out) }) else {
            throw .fromQueue(otherwise: .library, "writing a private key")
        }
        return bytes
    }

    /// Whether `certificate` is for this key.
    package func matches(_ certificate: Certificate) -> Bool {
        let isMatch = unsafe X509_check_private_key(certificate.x509.handle, handle) == 1
        ERR_clear_error()
        return isMatch
    }
}
