internal import COpenSSL

extension Certificate {
    /// Reads exactly one certificate. Throws `badCertificate` for anything else; never traps.
    package init(der: [UInt8]) throws(TLSError) {
        try self.init(X509Reference(der: der))
    }

    /// Reads every certificate in `pem`, in order, and skips other blocks. Throws `badCertificate` at the first one
    /// that cannot be read. Empty if there is none.
    package static func parsePEM(_ pem: [UInt8]) throws(TLSError) -> [Certificate] {
        guard !pem.isEmpty else { return [] }
        return try unsafe PEM.withMemoryBIO(reading: pem) { bio throws(TLSError) in
            var certificates: [Certificate] = []
            while let handle = unsafe PEM_read_bio_X509(bio, nil, nil, nil) {
                certificates.append(try Certificate(unsafe X509Reference(owning: handle)))
            }
            let error = ERR_peek_last_error()
            guard meshnode_err_lib(error) == ERR_LIB_PEM, meshnode_err_reason(error) == PEM_R_NO_START_LINE else {
                throw .fromQueue(otherwise: .badCertificate, "reading PEM certificate \(certificates.count + 1)")
            }
            ERR_clear_error()
            return certificates
        }
    }

    /// The facts of `reference`.
    init(_ reference: X509Reference) throws(TLSError) {
        ERR_clear_error()
        let x509 = unsafe reference.handle
        // X509_get_extension_flags reads every extension once; EXFLAG_INVALID says that one of them cannot be read.
        let flags = unsafe X509_get_extension_flags(x509)
        guard flags & UInt32(EXFLAG_INVALID) == 0 else {
            throw .fromQueue(otherwise: .badCertificate, "the certificate has an extension that cannot be read")
        }
        guard let der = unsafe DER.encode({ out in unsafe i2d_X509(x509, out) }),
            let fingerprint = unsafe Self.fingerprint(of: x509),
            let notBefore = unsafe Self.seconds(X509_get0_notBefore(x509)),
            let notAfter = unsafe Self.seconds(X509_get0_notAfter(x509))
        else { throw .fromQueue(otherwise: .badCertificate, "the certificate lacks a validity that can be read") }
        let usage = unsafe X509_get_key_usage(x509)
        let extendedUsage = unsafe X509_get_extended_key_usage(x509)
        self.init(
            x509: reference, der: der, notBefore: notBefore, notAfter: notAfter,
            uriSANs: try unsafe Self.uriSANs(of: x509),
            isCA: flags & UInt32(EXFLAG_CA) != 0, keyUsage: usage == .max ? nil : KeyUsage(rawValue: usage),
            extendedKeyUsage: extendedUsage == .max ? nil : ExtendedKeyUsage(rawValue: extendedUsage),
            serial: unsafe Self.serial(of: x509), fingerprint: fingerprint)
    }

    private static func fingerprint(of x509: OpaquePointer) -> CertificateFingerprint? {
        var length: UInt32 = 0
        let digest = unsafe [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { place, count in
            count = unsafe X509_digest(x509, EVP_sha256(), place.baseAddress, &length) == 1 ? Int(length) : 0
        }
        return CertificateFingerprint(digest: digest)
    }

    /// Seconds since 1970; years before and after are as exact as the Gregorian calendar.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        guard let time = unsafe time, let epoch = unsafe ASN1_TIME_set(nil, 0) else { return nil }
        defer { unsafe ASN1_TIME_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Int64(days) * 86_400 + Int64(seconds)
    }

    private static func uriSANs(of x509: OpaquePointer) throws(TLSError) -> [String] {
        var found: Int32 = 0
        guard let extensionValue = unsafe X509_get_ext_d2i(x509, NID_subject_alt_name, &found, nil) else {
            // -1: there is none. -2: there are several. 0 or 1: it cannot be read.
            guard found == -1 else { throw .fromQueue(otherwise: .badCertificate, "the subjectAltName cannot be read") }
            return []
        }
        let names = OpaquePointer(extensionValue)
        defer { unsafe GENERAL_NAMES_free(names) }
        var uris: [String] = []
        for index in unsafe 0..<max(0, meshnode_general_name_count(names)) {
            var length: Int32 = 0
            guard let bytes = unsafe meshnode_general_name_uri(names, index, &length) else { continue }
            let text = unsafe UnsafeBufferPointer(start: bytes, count: Int(max(0, length)))
            // IA5String is ASCII; a NUL inside is the old trick to show one name and mean another.
            guard unsafe text.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw TLSError(.badCertificate, "a URI in the subjectAltName has a control or non-ASCII byte")
            }
            unsafe uris.append(String(decoding: text, as: UTF8.self))
        }
        return uris
    }

    private static func serial(of x509: OpaquePointer) -> String {
        guard let number = unsafe X509_get0_serialNumber(x509), let start = unsafe ASN1_STRING_get0_data(number) else {
            return ""
        }
        let bytes = unsafe UnsafeBufferPointer(start: start, count: Int(max(0, ASN1_STRING_length(number))))
        let digits = Array("0123456789abcdef".utf8)
        let text = unsafe bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The subject as RFC 2253 writes it; empty if it is empty, as a workload's is.
    package var subject: String {
        guard
            let bytes = try? unsafe PEM.withMemoryBIO(
                reading: nil,
                { bio throws(TLSError) in
                    _ = unsafe X509_NAME_print_ex(bio, X509_get_subject_name(x509.handle), 0, meshnode_name_flags())
                    return unsafe PEM.contents(of: bio)
                })
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
