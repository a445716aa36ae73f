// A fixture that cannot be made ends the test run, which is what a force try does.
// swift-format-ignore-file: NeverUseForceTry, NeverForceUnwrap

package import Identity
package import Mesh
import TLS
package import TestSupport

/// Certificates that the tests of the data plane share: making one costs processes.
package enum Certificates {
    package static let home = try! FixtureAuthority()
    package static let foreign = try! FixtureAuthority()
    package static let mesh = TrustDomain("mesh")!
    package static let abroad = TrustDomain("abroad.example")!

    package static let client = try! svid("client")
    package static let other = try! svid("other")
    package static let server = try! svid("server")
    /// Of another trust domain, signed by its own authority.
    package static let stranger = try! svid("server", abroad, by: foreign)

    package static func identity(_ account: String, _ domain: TrustDomain = mesh) -> SPIFFEID {
        SPIFFEID(trustDomain: domain, namespace: "shop", serviceAccount: account)
    }

    package static func bundles(federated: Bool = false) throws -> TrustBundles {
        var bundles = try TrustBundles(own: mesh, roots: Certificate.parsePEM(home.rootPEM))
        if federated { try bundles.replaceRoots(of: abroad, with: Certificate.parsePEM(foreign.rootPEM)) }
        return bundles
    }

    private static func svid(
        _ account: String, _ domain: TrustDomain = mesh, by authority: FixtureAuthority = home
    ) throws -> SVID {
        let identity = identity(account, domain)
        let issued = try authority.issue(sans: ["URI:\(identity)"])
        return try SVID(
            identity: identity, chain: Certificate.parsePEM(issued.chainPEM), key: PrivateKey(pem: issued.keyPEM),
            version: 1)
    }
}
