internal import COpenSSL

/// The calling convention of OpenSSL's `i2d_` functions.
enum DER {
    /// What `write` encodes: it is called for the length, then with a place for that many bytes. Nil if it fails.
    static func encode(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8]? {
        let length = Int(write(nil))
        guard length > 0 else { return nil }
        return unsafe [UInt8](unsafeUninitializedCapacity: length) { place, count in
            var cursor = place.baseAddress
            // An encoder says the same length twice for an unchanged object, so it stays within the array.
            count = unsafe max(0, min(length, Int(write(&cursor))))
        }
    }
}

/// An X509 object as long as something needs it.
@safe final class X509Reference: @unchecked Sendable {
    // @unchecked: nothing here changes it once it is read; OpenSSL locks what it fills in later (the flags of its
    // extensions) and counts references atomically.
    let handle: OpaquePointer

    /// Throws `badCertificate` unless `der` is exactly one certificate.
    init(der: [UInt8]) throws(TLSError) {
        ERR_clear_error()
        let parsed: OpaquePointer? = unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let handle = unsafe d2i_X509(nil, &cursor, bytes.count) else { return nil }
            guard let cursor = unsafe cursor, let start = bytes.baseAddress, unsafe cursor - start == bytes.count else {
                unsafe X509_free(handle)
                return nil
            }
            return unsafe handle
        }
        guard let parsed = unsafe parsed else { throw .fromQueue(otherwise: .badCertificate, "reading a certificate") }
        unsafe handle = parsed
    }

    /// Takes over the reference in `handle`.
    init(owning handle: OpaquePointer) { unsafe self.handle = handle }

    /// Adds a reference to `handle`, which keeps its own.
    init(sharing handle: OpaquePointer) {
        unsafe X509_up_ref(handle)
        unsafe self.handle = handle
    }

    deinit { unsafe X509_free(handle) }
}
