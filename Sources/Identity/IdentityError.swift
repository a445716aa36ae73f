/// Why something is not an identity's certificate or a trust domain's roots.
package struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of failures; its raw value is safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The certificate is for another identity than the one it was asked for.
        case otherIdentity = "other_identity"
        /// The certificate is not for the key at hand.
        case otherKey = "other_key"
        /// A certificate breaks the rules for workload certificates.
        case notSVID = "not_svid"
        /// A certificate or root cannot be read or used.
        case badCertificate = "bad_certificate"
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }
}
