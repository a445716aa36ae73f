package import Mesh

/// Why an identity of this node has no certificate to show, for the connections that are refused for it.
package struct CertificateAbsence: Hashable, Sendable {
    /// Whose certificate it is.
    package let identity: SPIFFEID
    /// The last second of the one that there was, since 1970; nil if there never was one.
    package let notAfter: Int64?
    /// Why there is no other; nil if that is not known.
    package let cause: String?

    private init(_ identity: SPIFFEID, notAfter: Int64?, cause: String?) {
        self.identity = identity
        self.notAfter = notAfter
        self.cause = cause
    }

    /// Its certificate ran out.
    /// - Parameters:
    ///   - notAfter: its last second, since 1970.
    ///   - cause: why there is no other; nil if none was asked for yet.
    package static func expired(_ identity: SPIFFEID, notAfter: Int64, because cause: String?) -> CertificateAbsence {
        CertificateAbsence(identity, notAfter: notAfter, cause: cause)
    }

    /// It never had one.
    package static func missing(_ identity: SPIFFEID, because cause: String? = nil) -> CertificateAbsence {
        CertificateAbsence(identity, notAfter: nil, cause: cause)
    }

    /// `certificateExpired` if there was a certificate, `certificateUnavailable` if there never was.
    package var reason: Reason { notAfter == nil ? .certificateUnavailable : .certificateExpired }

    /// For an operator: the identity, since when, and why renewal failed.
    /// - Parameter now: seconds since 1970.
    package func text(at now: Int64) -> String {
        guard let notAfter else {
            return "no certificate for \(identity) yet" + (cause.map { ": \($0)" } ?? "")
        }
        let age = max(0, now.subtractingReportingOverflow(notAfter).partialValue)
        return "the certificate of \(identity) expired \(age) s ago and could not be renewed: "
            + (cause ?? "a new one was asked for just now")
    }
}
