package import Mesh
package import TLS

/// An identity with the proof of it: certificate chain and private key (SPIFFE X509-SVID).
package struct SVID: Sendable {
    package let identity: SPIFFEID
    /// Leaf first, then intermediates.
    package let chain: [Certificate]
    package let key: PrivateKey
    /// Counts up with every renewal of this identity, so that loops see which of two is newer.
    package let version: UInt64

    private let leaf: Certificate

    /// Throws if the leaf is not one for `identity` and `key` by the rules that a peer will apply.
    package init(identity: SPIFFEID, chain: [Certificate], key: PrivateKey, version: UInt64) throws(IdentityError) {
        guard let leaf = chain.first else { throw IdentityError(.badCertificate, "no certificate for \(identity)") }
        switch SVIDRules.identity(of: leaf) {
        case .failure(let refusal): throw IdentityError(.notSVID, "certificate for \(identity): \(refusal.text)")
        case .success(let found):
            guard found == identity else {
                throw IdentityError(.otherIdentity, "asked for \(identity), the certificate is for \(found)")
            }
        }
        guard key.matches(leaf) else {
            throw IdentityError(.otherKey, "certificate for \(identity) is for another key")
        }
        self.identity = identity
        self.chain = chain
        self.key = key
        self.version = version
        self.leaf = leaf
    }

    /// First second of the leaf's validity, since 1970.
    package var notBefore: Int64 { leaf.notBefore }
    /// Last second of the leaf's validity, since 1970, inclusive.
    package var notAfter: Int64 { leaf.notAfter }
    /// The leaf's serial number, lower-case hexadecimal.
    package var serial: String { leaf.serial }
    /// Serial number of the certificate that signed the leaf, as it is compared; nil if a root did.
    package var canonicalIssuerSerial: String? {
        chain.count > 1 ? Certificate.canonicalSerial(chain[1].serial) : nil
    }
    /// The same as it is compared.
    package var canonicalSerial: String { Certificate.canonicalSerial(leaf.serial) }
}
