// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import CertificateAuthority
import Foundation
import Mesh

@testable import ControlPlane

/// An authority in a directory of its own.
final class TestAuthority: Sendable {
    let trustDomain: TrustDomain
    let path: String
    let issuer: CertificateIssuer
    let now: Int64

    static var currentTime: Int64 { Int64(Date().timeIntervalSince1970) }

    /// - Parameter age: how long ago it was made, and still believes it is, in seconds.
    init(_ trustDomain: String = "example.org", age: Int64 = 0) throws {
        self.trustDomain = TrustDomain(trustDomain)!
        path = FileManager.default.temporaryDirectory.appendingPathComponent("meshnode-test-\(UUID().uuidString)").path
        now = Self.currentTime - age
        issuer = try AuthorityDirectory(path: path, trustDomain: self.trustDomain).open(now: now)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var bundlePEM: String { get throws { try issuer.rootsPEM() } }

    func trust(_ more: TestAuthority...) throws -> MeshTrust {
        try MeshTrust(
            trustDomain: trustDomain, bundlePEM: try ([self] + more).map { try $0.bundlePEM }.joined())
    }

    func identity() throws -> ControlPlaneIdentity {
        let certificate = try issuer.makeControllerCertificate(now: now)
        return ControlPlaneIdentity(
            chainPEM: certificate.chainPEM, keyPEM: certificate.keyPEM, trustBundlePEM: try bundlePEM)
    }

    /// A node's credential, which trusts `others`, too.
    func node(
        _ name: String, key: NodeKey = NodeKey(), lifetime: Int64 = 0, trusting others: TestAuthority...
    ) throws -> NodeCredential {
        let issued = try issuer.signNode(
            requestPEM: key.signingRequestPEM(), node: name, lifetimeInSeconds: lifetime, now: now)
        return try NodeCredential(
            key: key, chainPEM: Array(issued.chainPEM.dropLast()),
            trustBundlePEM: try ([self] + others).map { try $0.bundlePEM }.joined())
    }

    /// The same authority under the name of another mesh.
    func posing(as trustDomain: String) throws -> CertificateIssuer {
        try AuthorityDirectory(path: path, trustDomain: TrustDomain(trustDomain)!).open(now: now)
    }
}
