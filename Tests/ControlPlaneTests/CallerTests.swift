// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import CertificateAuthority
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Mesh
import Testing
import XDS

@testable import ControlPlane

/// What somebody with this chain and key gets when asking for a certificate.
func refusal(
    _ endpoint: ControllerEndpoint, chainPEM: [String], key: NodeKey
) async throws -> ControlPlaneError? {
    let check = ControllerCheck { _ in }
    let transport = try ControllerTransport.make(endpoint, chainPEM: chainPEM, keyPEM: key.pem, check: check)
    return try await withGRPCClient(transport: transport) { client in
        let identity = SPIFFEID(trustDomain: TrustDomain("example.org")!, namespace: "here", serviceAccount: "a")
        do throws(ControlPlaneError) {
            _ = try await ControllerCalls(client: client, endpoint: endpoint).createCertificate(
                CertificateRequest(id: 1, signingRequestPEM: "", identity: identity))
            return nil
        } catch {
            return error
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `A caller of the controller` {
    let authority: TestAuthority
    let controller: TestController
    let key = NodeKey()

    init() throws {
        authority = try TestAuthority()
        controller = TestController(authority)
    }

    @Test func `is let in with the certificate of a node`() async throws {
        try await withServer(controller) { _, endpoint in
            let credential = try authority.node("n1", key: key)
            #expect(try await refusal(endpoint, chainPEM: credential.chainPEM, key: key) == nil)
        }
    }

    @Test func `without a certificate is refused`() async throws {
        try await withServer(controller) { _, endpoint in
            let transport = try HTTP2ClientTransport.Posix(
                target: endpoint.target,
                transportSecurity: .tls { $0.serverCertificateVerification = .noVerification })
            let error = await #expect(throws: ControlPlaneError.self) {
                try await withGRPCClient(transport: transport) { client in
                    _ = try await ControllerCalls(client: client, endpoint: endpoint).join(
                        token: "", node: "n1", key: key)
                }
            }
            #expect(error?.code == .disconnected)
            #expect(controller.events.all.isEmpty)
        }
    }

    @Test func `with a key of its own is told to join`() async throws {
        try await withServer(controller) { _, endpoint in
            let chain = [try key.selfSignedCertificatePEM()]
            let error = try #require(try await refusal(endpoint, chainPEM: chain, key: key))
            #expect(error.code == .unauthenticated && error.message.contains("join first"))
            let event = try await controller.events.first { if case .refused = $0 { true } else { false } }
            guard case .refused(let refusal) = event else { return }
            #expect(refusal.call == "CreateCertificate" && refusal.address.hasPrefix("ipv4:127.0.0.1"))
        }
    }

    @Test func `with the certificate of a workload is not a node`() async throws {
        try await withServer(controller) { _, endpoint in
            let identity = SPIFFEID(trustDomain: authority.trustDomain, namespace: "here", serviceAccount: "a")
            let issued = try authority.issuer.sign(
                requestPEM: key.signingRequestPEM(), identity: identity, now: authority.now)
            let chain = Array(issued.chainPEM.dropLast())
            let error = try #require(try await refusal(endpoint, chainPEM: chain, key: key))
            #expect(error.code == .unauthenticated && error.message.contains("not that of a node"))
        }
    }

    @Test func `of another trust domain is refused, even by the same root`() async throws {
        try await withServer(controller) { _, endpoint in
            let issued = try authority.posing(as: "other.org").signNode(
                requestPEM: key.signingRequestPEM(), node: "n1", now: authority.now)
            let chain = Array(issued.chainPEM.dropLast())
            let error = try #require(try await refusal(endpoint, chainPEM: chain, key: key))
            #expect(error.code == .unauthenticated && error.message.contains("another mesh"))
        }
    }

    @Test func `that is a node of another mesh is refused`() async throws {
        try await withServer(controller) { _, endpoint in
            let credential = try TestAuthority().node("n1", key: key)
            let error = try #require(try await refusal(endpoint, chainPEM: credential.chainPEM, key: key))
            #expect(error.code == .unauthenticated && error.message.contains("does not lead to a root"))
        }
    }

    @Test func `whose certificate has expired is told so`() async throws {
        let old = try TestAuthority(age: 86400)
        try await withServer(TestController(old), identity: try authority.identity()) { _, endpoint in
            let credential = try old.node("n1", key: key, lifetime: 60)
            let error = try #require(try await refusal(endpoint, chainPEM: credential.chainPEM, key: key))
            #expect(error.code == .unauthenticated && error.message.contains("is valid from"))
        }
    }

    @Test func `whose certificate was revoked is refused at once, and its streams end`() async throws {
        try await withServer(controller) { server, endpoint in
            let credential = try authority.node("n1", key: key)
            let subscriber = TestSubscriber()
            try await withClient(endpoint, credential, subscriber) { _ in
                _ = try await subscriber.connected()
                let serial = try await controller.opened("n1", .session).chain[0].serialText
                server.replace(
                    trust: try MeshTrust(
                        trustDomain: authority.trustDomain, bundlePEM: try authority.bundlePEM, revokedSerials: [serial]
                    ))
                #expect(try await controller.closed("n1", .session).contains("revoked"))
                let error = try #require(try await refusal(endpoint, chainPEM: credential.chainPEM, key: key))
                #expect(error.code == .unauthenticated && error.message.contains("revoked"))
            }
        }
    }

    @Test func `goes through a change of root on the live server without a break`() async throws {
        let next = try TestAuthority()
        try await withServer(controller) { server, endpoint in
            let old = TestSubscriber()
            let new = TestSubscriber()
            // A node with a certificate by the old root, that trusts both.
            try await withClient(endpoint, try authority.node("n1", trusting: next), old) { client in
                _ = try await old.connected()
                server.replace(trust: try authority.trust(next))
                // A node that has its certificate by the new root.
                try await withClient(endpoint, try next.node("n2", trusting: authority), new) { _ in
                    _ = try await new.connected()
                    try server.replace(identity: try next.identity())
                    server.replace(trust: try next.trust())
                    #expect(try await controller.closed("n1", .session).contains("does not lead to a root"))
                    #expect(try await old.lost().code == .disconnected)
                    // It is told what to do once it comes back.
                    _ = try await old.events.first { event in
                        if case .lost(let error) = event { error.code == .unauthenticated } else { false }
                    }
                    client.replace(credential: try next.node("n1"))
                    _ = try await old.events.first { event in
                        if case .connected(let connection) = event {
                            connection.session.closeCause == nil
                        } else {
                            false
                        }
                    }
                    #expect(!new.events.all.contains { if case .lost = $0 { true } else { false } })
                }
            }
        }
    }

    @Test func `sees the controller's new certificate without a restart`() async throws {
        try await withServer(controller) { server, endpoint in
            let credential = try authority.node("n1", key: key)
            let before = try await shownSerial(endpoint, credential)
            #expect(try await shownSerial(endpoint, credential) == before)
            try server.replace(identity: try authority.identity())
            let after = try await shownSerial(endpoint, credential)
            #expect(after != before && after != nil)
            #expect(throws: ControlPlaneError.self) {
                try server.replace(identity: ControlPlaneIdentity(chainPEM: ["x"], keyPEM: "", trustBundlePEM: ""))
            }
            #expect(try await shownSerial(endpoint, credential) == after)
        }
    }

    private func shownSerial(_ endpoint: ControllerEndpoint, _ credential: NodeCredential) async throws -> String? {
        let seen = EventLog<String>()
        let check = ControllerCheck { (chain) async throws(ControlPlaneError) in
            seen.append(chain[0].serialText)
            try await PeerVerifier(trust: credential.trust).requireController(chain)
        }
        let transport = try ControllerTransport.make(
            endpoint, chainPEM: credential.chainPEM, keyPEM: credential.key.pem, check: check)
        return try await withGRPCClient(transport: transport) { client in
            _ = try await ControllerCalls(client: client, endpoint: endpoint).renew(credential)
            return seen.all.first
        }
    }
}
