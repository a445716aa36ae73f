internal import COpenSSL

/// The text form of keys, certificates and requests (RFC 7468).
package enum PEM {
    /// `der` between the lines `-----BEGIN label-----` and `-----END label-----`.
    package static func encode(label: String, der: [UInt8]) throws(TLSError) -> String {
        let bytes = try unsafe withMemoryBIO(reading: nil) { bio throws(TLSError) in
            guard !der.isEmpty,
                unsafe PEM_write_bio(bio, label, "", der, der.count) > 0
            else { throw .fromQueue(otherwise: .library, "writing PEM") }
            return unsafe contents(of: bio)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything that was written to a memory BIO.
    static func contents(of bio: OpaquePointer) -> [UInt8] {
        var data: UnsafeMutablePointer<CChar>?
        let count = unsafe meshnode_bio_mem_data(bio, &data)
        guard let data = unsafe data, count > 0 else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: data, count: count))
    }

    /// Calls `body` with a memory BIO, over `input` if there is one, else empty for writing.
    static func withMemoryBIO<R>(reading input: [UInt8]?, _ body: (OpaquePointer) throws(TLSError) -> R)
        throws(TLSError) -> R
    {
        ERR_clear_error()
        guard let input else {
            guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw .fromQueue(otherwise: .library, "BIO_new") }
            defer { unsafe BIO_free(bio) }
            return try unsafe body(bio)
        }
        guard let length = Int32(exactly: input.count) else {
            throw TLSError(.badCertificate, "more than 2 GiB of PEM")
        }
        var result: Result<R, TLSError> = .failure(TLSError(.library, "BIO_new_mem_buf"))
        unsafe input.withUnsafeBytes { bytes in
            // An empty array has no address, which BIO_new_mem_buf refuses; nothing to read is no memory either.
            guard let start = bytes.baseAddress, let bio = unsafe BIO_new_mem_buf(start, length) else { return }
            defer { unsafe BIO_free(bio) }
            do throws(TLSError) { result = .success(try unsafe body(bio)) } catch { result = .failure(error) }
        }
        return try result.get()
    }
}
