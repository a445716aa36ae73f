import CertificateAuthority
import Foundation
import Testing

@testable import ControlPlane

@Suite(.timeLimit(.minutes(5))) struct `A node that joins` {
    let authority: TestAuthority
    let controller: TestController
    let key = NodeKey()

    init() throws {
        authority = try TestAuthority()
        controller = TestController(authority)
    }

    private func token(node: String = "n1", lifetime: Int64 = 60, age: Int64 = 0) throws -> String {
        try JoinTokenStore(directory: authority.path).create(
            node: node, lifetimeInSeconds: lifetime, now: TestAuthority.currentTime - age,
            rootFingerprint: try authority.issuer.rootFingerprint())
    }

    private func failure(
        _ endpoint: ControllerEndpoint, _ token: String, node: String = "n1", key: NodeKey? = nil
    ) async -> ControlPlaneError? {
        do throws(ControlPlaneError) {
            _ = try await ControlPlaneJoin.join(endpoint, token: token, node: node, key: key ?? self.key)
            return nil
        } catch {
            return error
        }
    }

    @Test func `is given a certificate by which it is let in`() async throws {
        try await withServer(controller) { _, endpoint in
            let credential = try await ControlPlaneJoin.join(
                endpoint, token: " \(try token())\n", node: "n1", key: key)
            #expect(credential.node == "n1" && credential.trustDomain == authority.trustDomain)
            #expect(credential.trustBundlePEM == (try authority.bundlePEM))
            let subscriber = TestSubscriber()
            try await withClient(endpoint, credential, subscriber) { _ in
                _ = try await subscriber.connected()
                #expect(try await controller.opened("n1", .session).node == "n1")
            }
        }
    }

    @Test func `may ask again with the same key and not with another`() async throws {
        try await withServer(controller) { _, endpoint in
            let token = try token()
            #expect(await failure(endpoint, token) == nil)
            #expect(await failure(endpoint, token) == nil)
            let error = try #require(await failure(endpoint, token, key: NodeKey()))
            #expect(error.code == .refused && error.message.contains("used already, with another key"))
        }
    }

    @Test func `is told what is wrong with its token`() async throws {
        try await withServer(controller) { _, endpoint in
            let other = try #require(await failure(endpoint, try token(), node: "n2"))
            #expect(other.code == .refused && other.message.contains("is for the node 'n1'"))
            let expired = try #require(await failure(endpoint, try token(lifetime: 5, age: 60)))
            #expect(expired.code == .refused && expired.message.contains("expired"))
            let fingerprint = try authority.issuer.rootFingerprint()
            let made = "meshnode-join-1.\(String(repeating: "a", count: 16)).\(String(repeating: "b", count: 64))"
            let unknown = try #require(await failure(endpoint, "\(made).\(fingerprint)"))
            #expect(unknown.code == .refused && unknown.message.contains("no such join token"))
            let nonsense = try #require(await failure(endpoint, "nonsense"))
            #expect(nonsense.code == .invalidConfiguration && nonsense.message.contains("no join token"))
        }
    }

    @Test func `trusts no controller but that of its token, and tells it nothing`() async throws {
        let stranger = TestController(try TestAuthority())
        try await withServer(stranger) { _, endpoint in
            let error = try #require(await failure(endpoint, try token()))
            #expect(error.code == .untrustedPeer && error.message.contains("does not have the root"))
            #expect(stranger.events.all.isEmpty)
        }
    }

    @Test func `is not taken in by a workload that shows the right root`() async throws {
        let issued = try authority.issuer.sign(
            requestPEM: key.signingRequestPEM(),
            identity: .init(trustDomain: authority.trustDomain, namespace: "a", serviceAccount: "b"), now: authority.now
        )
        let identity = ControlPlaneIdentity(
            chainPEM: Array(issued.chainPEM.dropLast()), keyPEM: key.pem, trustBundlePEM: try authority.bundlePEM)
        try await withServer(controller, identity: identity) { _, endpoint in
            let error = try #require(await failure(endpoint, try token()))
            #expect(error.code == .wrongPeer && error.message.contains("not the controller"))
        }
    }

    @Test func `keeps its credential in files that only it can read`() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("meshnode-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let files = NodeCredentialFiles(directory: path)
        #expect(try files.load() == nil)
        let key = try files.key()
        #expect(try files.key().pem == key.pem)
        let credential = try authority.node("n1", key: key)
        try files.save(credential)
        let loaded = try #require(try files.load())
        #expect(loaded.node == "n1" && loaded.notAfter == credential.notAfter && loaded.key.pem == key.pem)
        for (name, mode) in [("", 0o700), ("/node-key.pem", 0o600), ("/node-cert.pem", 0o600)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + name)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode, "\(name)")
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path + "/node-key.pem")
        #expect { try files.load() } throws: { "\($0)".contains("chmod 600") }
    }

    @Test func `does not take a certificate that is not its own`() throws {
        let credential = try authority.node("n1", key: key)
        let cases: [(NodeKey, [String], String, String?)] = [
            (NodeKey(), credential.chainPEM, credential.trustBundlePEM, nil),
            (key, credential.chainPEM, credential.trustBundlePEM, "n2"),
            (key, [], credential.trustBundlePEM, nil), (key, credential.chainPEM, "", nil),
            (key, ["-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"], credential.trustBundlePEM, nil),
            (key, [try key.selfSignedCertificatePEM()], credential.trustBundlePEM, nil),
        ]
        for (key, chain, bundle, node) in cases {
            #expect(throws: ControlPlaneError.self) {
                try NodeCredential(key: key, chainPEM: chain, trustBundlePEM: bundle, expectedNode: node)
            }
        }
    }

    @Test func `knows that it is of another issuer than the one that signs now`() throws {
        let credential = try authority.node("n1", key: key)
        let own = authority.issuer.status.issuer.serial
        #expect(!credential.isOutdated(issuerSerial: own))
        #expect(!credential.isOutdated(issuerSerial: own.uppercased()))
        #expect(credential.isOutdated(issuerSerial: try TestAuthority().issuer.status.issuer.serial))
        #expect(!credential.isOutdated(issuerSerial: nil), "not told")
        #expect(!credential.isOutdated(issuerSerial: "no serial number"))
    }
}
