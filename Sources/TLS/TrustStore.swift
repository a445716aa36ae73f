internal import COpenSSL

/// Whether a chain leads to a root.
package enum ChainVerdict: Hashable, Sendable {
    /// It does until `validUntil` (seconds since 1970, inclusive), when the first certificate of the path expires.
    case trusted(validUntil: Int64)
    case expired
    case notYetValid
    /// It does not; the text says why.
    case untrusted(String)
}

/// The roots of one trust domain. It never changes; every certificate in it is a trust anchor, self-signed or not.
@safe package final class TrustStore: @unchecked Sendable {
    // @unchecked: an X509_STORE locks its own look-ups, and nothing is added after `init`.
    package let roots: [Certificate]
    private let handle: OpaquePointer

    /// Throws `badCertificate` if there is no root or one of them is not a certificate authority.
    package init(roots: [Certificate]) throws(TLSError) {
        ERR_clear_error()
        guard let handle = unsafe X509_STORE_new() else { throw .fromQueue(otherwise: .library, "X509_STORE_new") }
        unsafe self.handle = handle
        self.roots = roots
        guard !roots.isEmpty else { throw TLSError(.badCertificate, "a trust bundle without a certificate") }
        for root in roots {
            guard root.isCA else {
                throw TLSError(.badCertificate, "root \(root.serial) is not a certificate authority")
            }
            guard unsafe X509_STORE_add_cert(handle, root.x509.handle) == 1 else {
                throw .fromQueue(otherwise: .badCertificate, "adding root \(root.serial)")
            }
        }
    }

    deinit { unsafe X509_STORE_free(handle) }

    /// Whether `chain` (leaf first, the rest in any order) leads to a root and all of the path is valid at
    /// `secondsSince1970` (RFC 5280 section 6). A certificate may be valid only `notBeforeTolerance` seconds later,
    /// because clocks differ. Costs two or three signature checks.
    package func verifies(
        chain: [Certificate], at secondsSince1970: Int64, notBeforeTolerance: Int64 = 0
    ) -> ChainVerdict {
        let verdict = verifyOnce(chain, at: secondsSince1970)
        let (later, overflow) = secondsSince1970.addingReportingOverflow(notBeforeTolerance)
        guard verdict == .notYetValid, notBeforeTolerance > 0, !overflow else { return verdict }
        return verifyOnce(chain, at: later)
    }

    private func verifyOnce(_ chain: [Certificate], at secondsSince1970: Int64) -> ChainVerdict {
        ERR_clear_error()
        guard let leaf = chain.first, let context = unsafe X509_STORE_CTX_new() else {
            return .untrusted("no certificate")
        }
        defer { unsafe X509_STORE_CTX_free(context) }
        guard let others = unsafe meshnode_x509_stack_new() else { return .untrusted("no memory") }
        defer { unsafe meshnode_x509_stack_free(others) }
        for certificate in chain.dropFirst() {
            guard unsafe Self.push(certificate, to: others) else { return .untrusted("no memory") }
        }
        guard unsafe X509_STORE_CTX_init(context, handle, leaf.x509.handle, others) == 1,
            let parameters = unsafe X509_STORE_CTX_get0_param(context)
        else { return .untrusted("no memory") }
        unsafe X509_VERIFY_PARAM_set_time(parameters, Int(secondsSince1970))
        unsafe X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        // Deeper than any real hierarchy, short enough that a hostile chain costs little; see TLSContext for the level.
        unsafe X509_VERIFY_PARAM_set_depth(parameters, 6)
        unsafe X509_VERIFY_PARAM_set_auth_level(parameters, 2)
        guard unsafe X509_verify_cert(context) == 1 else { return unsafe Self.refusal(in: context) }
        return .trusted(validUntil: unsafe Self.validUntil(of: context))
    }

    private static func push(_ certificate: Certificate, to stack: OpaquePointer) -> Bool {
        guard unsafe meshnode_x509_stack_push(stack, certificate.x509.handle) == 1 else { return false }
        // The stack gives up one reference to each, so it gets one of its own.
        unsafe X509_up_ref(certificate.x509.handle)
        return true
    }

    private static func refusal(in context: OpaquePointer) -> ChainVerdict {
        let error = unsafe X509_STORE_CTX_get_error(context)
        ERR_clear_error()
        switch error {
        case X509_V_ERR_CERT_HAS_EXPIRED: return .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: return .notYetValid
        default: return .untrusted(unsafe String(cString: X509_verify_cert_error_string(Int(error))))
        }
    }

    /// The earliest notAfter of the path that was built, the root's included.
    private static func validUntil(of context: OpaquePointer) -> Int64 {
        guard let path = unsafe X509_STORE_CTX_get0_chain(context) else { return .min }
        var earliest = Int64.max
        for index in 0..<max(0, unsafe meshnode_x509_count(path)) {
            guard let x509 = unsafe meshnode_x509_at(path, index),
                let notAfter = unsafe Certificate.seconds(X509_get0_notAfter(x509))
            else { return .min }
            earliest = min(earliest, notAfter)
        }
        return earliest
    }
}
