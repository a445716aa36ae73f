/// A certificate that the authority signed, with what a peer needs to check it.
package struct IssuedCertificate: Hashable, Sendable {
    /// DER: the leaf first, then what is between it and the root; without the root.
    package let chain: [[UInt8]]
    /// DER: every root that is trusted.
    package let roots: [[UInt8]]
    /// PEM, as IstioCertificateService answers: the leaf, what is between, and last the root bundle.
    package let chainPEM: [String]
    /// First second of the leaf's validity, since 1970.
    package let notBefore: Int64
    /// Last second of the leaf's validity, since 1970.
    package let notAfter: Int64
}
