/// Why the authority cannot be used, or will not sign.
package struct AuthorityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of causes; safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A file or directory of the authority cannot be read or written.
        case fileUnusable
        /// A private key or its directory is open to other users.
        case permissionsTooOpen
        /// A file is not what it should be, or the files do not belong together.
        case invalidAuthority
        /// A certificate of the authority is not valid now.
        case authorityExpired
        /// A certificate signing request is malformed, not signed by its own key, or for a key that is not P-256.
        case invalidRequest
        /// The caller may not have the identity that it asks for.
        case identityRefused
        /// Making or signing a certificate failed.
        case signingFailed
        /// A join token is malformed, was never made here, or was deleted.
        case tokenUnknown
        /// A join token is no longer valid.
        case tokenExpired
        /// A join token was made for a node of another name.
        case tokenForOtherNode
        /// A join token has let another key in already.
        case tokenUsed
        /// This step of a change of root is not due now.
        case rotationRefused
    }

    /// The cause.
    package let code: Code
    /// What failed, for what, and what an operator can do.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
