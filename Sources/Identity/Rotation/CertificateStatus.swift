package import Mesh

/// One identity's certificate as the CLI shows it. Times are seconds since 1970.
package struct CertificateStatus: Hashable, Sendable {
    /// Where an identity stands.
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// None yet, or the last one expired.
        case unavailable
        /// Valid, not yet due for renewal.
        case valid
        /// Valid, and renewal is under way or failed and will be tried again.
        case renewing
    }

    package let identity: SPIFFEID
    package let state: State
    /// First second of validity, since 1970; nil without a certificate.
    package let notBefore: Int64?
    /// Last second of validity, since 1970; nil without a certificate.
    package let notAfter: Int64?
    package let serial: String?
    /// Nil while a request is under way.
    package let nextRequest: Int64?
    /// Of the last request, if it failed.
    package let lastError: String?
}
