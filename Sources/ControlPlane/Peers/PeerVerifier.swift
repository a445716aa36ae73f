internal import CertificateAuthority
internal import FoundationEssentials
internal import Mesh
internal import SwiftASN1
internal import X509

/// Finds out who a peer is by the certificates that it showed. The handshake proved that it holds the leaf's key.
struct PeerVerifier: Sendable {
    /// What a caller turned out to be.
    enum Caller: Hashable, Sendable {
        /// A node of this mesh.
        case node(NodeIdentity)
        /// Somebody with a key, who proved nothing else: a node that wants to join.
        case unproven
        /// Somebody with a certificate that does not count; why, and what to do.
        case refused(String)
    }

    let trust: MeshTrust

    /// Who calls the controller.
    func caller(_ chain: [Certificate]) async -> Caller {
        guard let leaf = chain.first else { return .refused("the caller shows no certificate") }
        if chain.count == 1, leaf.isSelfSigned, !trust.roots.contains(leaf) { return .unproven }
        if let failure = await failure(of: leaf, through: chain.dropFirst()) { return .refused(failure.message) }
        guard let uri = leaf.singleURI, let node = NodeIdentity(uri: uri) else {
            return .refused(
                "the certificate of '\(leaf.singleURI ?? "nobody")' is not that of a node: agents use the certificate"
                    + " that they were given when their node joined, never a workload's")
        }
        guard node.trustDomain == trust.trustDomain else {
            return .refused("the node '\(node)' is of another mesh: this one is '\(trust.trustDomain)'")
        }
        return .node(node)
    }

    /// Passes if the peer is the controller of this mesh.
    /// - Throws: `untrustedPeer`, `certificateExpired` or `wrongPeer`.
    func requireController(_ chain: [Certificate]) async throws(ControlPlaneError) {
        guard let leaf = chain.first else {
            throw ControlPlaneError(.untrustedPeer, "the controller shows no certificate")
        }
        if let failure = await failure(of: leaf, through: chain.dropFirst()) { throw failure }
        let expected = CertificateIssuer.controllerIdentity(in: trust.trustDomain).description
        guard leaf.singleURI == expected else {
            throw ControlPlaneError(
                .wrongPeer,
                "who answers there is '\(leaf.singleURI ?? "nobody")' and not the controller '\(expected)': check the"
                    + " endpoint")
        }
    }

    /// Why the chain does not count; nil if it does.
    private func failure(
        of leaf: Certificate, through intermediates: some Sequence<Certificate>
    ) async -> ControlPlaneError? {
        let name = leaf.singleURI ?? "\(leaf.subject)"
        let now = Date()
        guard leaf.notValidBefore <= now, now <= leaf.notValidAfter else {
            return ControlPlaneError(
                .certificateExpired,
                "the certificate of '\(name)' is valid from \(leaf.notValidBefore) to \(leaf.notValidAfter), and here it"
                    + " is \(now): a node joins again with a new token; if the time is wrong, set the clock")
        }
        guard !trust.revokedSerials.contains(leaf.serialText) else {
            return ControlPlaneError(.untrustedPeer, "the certificate \(leaf.serialText) of '\(name)' was revoked")
        }
        var verifier = Verifier(rootCertificates: CertificateStore(trust.roots)) {
            RFC5280Policy()
            SPIFFEPolicy()
        }
        switch await verifier.validate(leaf: leaf, intermediates: CertificateStore(intermediates)) {
        case .validCertificate: return nil
        case .couldNotValidate(let failures):
            let reason = failures.first.map { ": \($0.policyFailureReason)" } ?? ""
            return ControlPlaneError(
                .untrustedPeer,
                "the certificate of '\(name)' does not lead to a root of the mesh '\(trust.trustDomain)'\(reason); it was"
                    + " issued by '\(leaf.issuer)': is it of another mesh, or of one that was set up anew?")
        }
    }
}

/// What SPIFFE asks of a leaf beyond RFC 5280: exactly one URI, and no authority (X509-SVID sections 2, 4 and 5).
struct SPIFFEPolicy: VerifierPolicy {
    // The subject is empty, so our certificates have their names in a critical extension.
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        let leaf = chain.leaf
        guard leaf.singleURI != nil else { return .failsToMeetPolicy(reason: "it has not exactly one URI as its name") }
        do {
            if case .isCertificateAuthority? = try leaf.extensions.basicConstraints {
                return .failsToMeetPolicy(reason: "it is that of an authority")
            }
            if let usage = try leaf.extensions.keyUsage, usage.keyCertSign || usage.cRLSign {
                return .failsToMeetPolicy(reason: "its key may sign certificates")
            }
        } catch {
            return .failsToMeetPolicy(reason: "its extensions are malformed")
        }
        return .meetsPolicy
    }
}
