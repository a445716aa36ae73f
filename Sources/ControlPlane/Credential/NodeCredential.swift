internal import CertificateAuthority
package import Mesh
internal import X509

/// What makes a machine a node of a mesh: its key, its certificate, and the roots that it trusts.
package struct NodeCredential: Sendable {
    /// The node's name, by its certificate.
    package let node: String
    /// The mesh.
    package let trustDomain: TrustDomain
    package let key: NodeKey
    /// PEM: the leaf first, then what is between, without the root.
    package let chainPEM: [String]
    /// Every root that is trusted, PEM.
    package let trustBundlePEM: String
    /// First second of validity, since 1970.
    package let notBefore: Int64
    /// Last second of validity, since 1970.
    package let notAfter: Int64
    /// Serial number of the certificate that signed this one, as `RevocationList` has it; nil if it was a root.
    package let issuerSerial: String?
    let trust: MeshTrust

    /// - Parameters:
    ///   - expectedNode: the name that it must be for; nil for any.
    ///   - revokedSerials: as the controller reported them.
    /// - Throws: `invalidConfiguration` if the parts do not belong together, or are not of a node.
    package init(
        key: NodeKey, chainPEM: [String], trustBundlePEM: String, expectedNode: String? = nil,
        revokedSerials: [String] = []
    ) throws(ControlPlaneError) {
        let chain = try Certificate.all(inPEM: chainPEM.joined(separator: "\n"), what: "the node's certificate")
        guard let leaf = chain.first, key.isKey(of: leaf) else {
            throw ControlPlaneError(.invalidConfiguration, "the node's certificate is not for the node's key")
        }
        guard let uri = leaf.singleURI, let identity = NodeIdentity(uri: uri) else {
            throw ControlPlaneError(
                .invalidConfiguration, "the certificate of '\(leaf.singleURI ?? "nobody")' is not that of a node")
        }
        if let expectedNode, identity.name != expectedNode {
            throw ControlPlaneError(
                .invalidConfiguration, "the certificate is for the node '\(identity.name)', not for '\(expectedNode)'")
        }
        node = identity.name
        trustDomain = identity.trustDomain
        self.key = key
        self.chainPEM = chainPEM
        self.trustBundlePEM = trustBundlePEM
        notBefore = leaf.firstSecond
        notAfter = leaf.lastSecond
        issuerSerial = chain.dropFirst().first?.serialText
        trust = try MeshTrust(
            trustDomain: identity.trustDomain, bundlePEM: trustBundlePEM, revokedSerials: revokedSerials)
    }

    /// The same with other roots, as the controller reports them.
    /// - Throws: `invalidConfiguration`: go on with what is there.
    package func trusting(
        bundlePEM: String, revokedSerials: [String] = []
    ) throws(ControlPlaneError) -> NodeCredential {
        try NodeCredential(
            key: key, chainPEM: chainPEM, trustBundlePEM: bundlePEM, expectedNode: node, revokedSerials: revokedSerials)
    }

    /// Whether the mesh's authority signs with another certificate by now, so that a root that has signed this one may
    /// stop being trusted before this one ends.
    /// - Parameter issuerSerial: hexadecimal, as the controller reports it; nil if it did not.
    package func isOutdated(issuerSerial: String?) -> Bool {
        guard let own = self.issuerSerial, let present = issuerSerial.flatMap(RevocationList.canonicalSerial) else {
            return false
        }
        return own != present
    }

    /// When to ask for the next one, in seconds since 1970: at half of its life. Of one that is short-lived up to half lies
    /// before it was made (issuers set the beginning back for the sake of slow clocks): at three quarters.
    package var renewalTime: Int64 {
        let span = notAfter - notBefore
        return span < 3600 ? notAfter - span / 4 : notBefore + span / 2
    }
}
