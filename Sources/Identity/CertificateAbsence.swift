package import Mesh

/// Why an identity of this node has no certificate to show, for the connections that are refused for it.
package struct CertificateAbsence: Hashable, Sendable {
    /// Whose certificate it is.
    package let identity: SPIFFEID
    /// `certificateExpired` if there was one, `certificateUnavailable` if there never was.
    package let reason: Reason
    /// For an operator: the identity, since when, and why renewal failed.
    package let text: String

    package init(identity: SPIFFEID, reason: Reason, text: String) {
        self.identity = identity
        self.reason = reason
        self.text = text
    }

    /// Its certificate ran out.
    /// - Parameters:
    ///   - notAfter: its last second, since 1970.
    ///   - cause: why there is no other; nil if none was asked for yet.
    package static func expired(
        _ identity: SPIFFEID, notAfter: Int64, at now: Int64, because cause: String?
    ) -> CertificateAbsence {
        let age = max(0, now.subtractingReportingOverflow(notAfter).partialValue)
        return CertificateAbsence(
            identity: identity, reason: .certificateExpired,
            text: "the certificate of \(identity) expired \(age) s ago and could not be renewed: "
                + (cause ?? "a new one was asked for just now"))
    }

    /// It never had one.
    package static func missing(_ identity: SPIFFEID, because cause: String?) -> CertificateAbsence {
        CertificateAbsence(
            identity: identity, reason: .certificateUnavailable,
            text: "no certificate for \(identity) yet: \(cause ?? "it was asked for just now")")
    }
}
