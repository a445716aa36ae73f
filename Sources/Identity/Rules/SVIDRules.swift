package import Mesh
package import TLS

/// What a leaf must be to name a workload at all, whoever signed it and whenever (SPIFFE X509-SVID sections 2-4).
package enum SVIDRules {
    /// The identity that `leaf` names, or the first rule that it breaks.
    package static func identity(of leaf: Certificate) -> Result<SPIFFEID, PeerRefusal> {
        if let refusal = AuthorityRule.check(leaf) ?? KeyUsageRule.check(leaf) ?? ExtendedKeyUsageRule.check(leaf) {
            return .failure(refusal)
        }
        return URISANRule.identity(of: leaf)
    }
}
