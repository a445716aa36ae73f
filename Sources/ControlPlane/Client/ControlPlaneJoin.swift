internal import CertificateAuthority
internal import Crypto
internal import GRPCCore
internal import Mesh
internal import SwiftASN1
internal import X509

/// How a node gets its first certificate.
package enum ControlPlaneJoin {
    /// Joins a mesh: proves by the token to be invited, and is given a certificate for `key`. The controller must show
    /// the root whose fingerprint is in the token, and a controller's certificate that leads to it.
    ///
    /// May be done again with the same key, if an answer was lost.
    /// - Parameters:
    ///   - token: `meshnode-join-1.ID.SECRET.ROOT`, white space around it is ignored.
    ///   - node: the node's name, for which the token was made.
    /// - Throws: `invalidConfiguration` for what is no token, `untrustedPeer` if the controller does not have that root,
    ///   `refused` if the token does not count, and what makes connections fail.
    package static func join(
        _ endpoint: ControllerEndpoint, token: String, node: String, key: NodeKey
    ) async throws(ControlPlaneError) -> NodeCredential {
        let parsed: JoinToken
        do {
            parsed = try JoinToken(parsing: token)
        } catch {
            throw ControlPlaneError(.invalidConfiguration, error.description)
        }
        let check = ControllerCheck { (chain) async throws(ControlPlaneError) in
            try await verify(chain, fingerprint: parsed.rootFingerprint)
        }
        let transport = try ControllerTransport.make(
            endpoint, chainPEM: [try key.selfSignedCertificatePEM()], keyPEM: key.pem, check: check)
        let client = GRPCClient(transport: transport)
        let credential = await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await client.runConnections() }
            let result = await result {
                () async throws(ControlPlaneError) in
                try await ControllerCalls(client: client, endpoint: endpoint).join(
                    token: parsed.text, node: node, key: key)
            }
            client.beginGracefulShutdown()
            group.cancelAll()
            return result
        }
        switch credential {
        case .success(let credential): return credential
        case .failure(let error): throw check.reason ?? error
        }
    }

    private static func result<Value: Sendable>(
        _ body: () async throws(ControlPlaneError) -> Value
    ) async -> Result<Value, ControlPlaneError> {
        do throws(ControlPlaneError) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    /// The token is all that a node has to trust by: its root, and whatever mesh that is of.
    private static func verify(_ chain: [Certificate], fingerprint: String) async throws(ControlPlaneError) {
        guard let root = chain.first(where: { Self.fingerprint(of: $0) == fingerprint }) else {
            throw ControlPlaneError(
                .untrustedPeer,
                "who answers there does not have the root that the token names: the token is of another mesh, the"
                    + " endpoint is another's, or the root has changed since; make a new token on the controller")
        }
        guard let uri = chain.first?.singleURI, let identity = SPIFFEID(uri: uri) else {
            throw ControlPlaneError(.wrongPeer, "who answers there is no controller: it has no SPIFFE identity")
        }
        let trust = MeshTrust(trustDomain: identity.trustDomain, roots: [root])
        try await PeerVerifier(trust: trust).requireController(chain)
    }

    private static func fingerprint(of certificate: Certificate) -> String? {
        var serializer = DER.Serializer()
        guard (try? serializer.serialize(certificate)) != nil else { return nil }
        return SHA256.hash(data: serializer.serializedBytes)
            .map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
    }
}
