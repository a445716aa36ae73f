// A fixture that cannot be made ends the test run, which is what a force try does.
// swift-format-ignore-file: NeverUseForceTry, NeverForceUnwrap

import Identity
import Mesh
import TLS
import TestSupport

/// What the tests of this target share: making an authority or a certificate costs a process.
enum Fixtures {
    static let home = try! FixtureAuthority()
    static let foreign = try! FixtureAuthority()
    static let mesh = TrustDomain("mesh")!
    static let abroad = TrustDomain("abroad.example")!
    static let web = identity("web")
    static let webLeaf = try! chain(home, "spiffe://mesh/ns/shop/sa/web")

    static func identity(_ account: String, _ domain: TrustDomain = mesh) -> SPIFFEID {
        SPIFFEID(trustDomain: domain, namespace: "shop", serviceAccount: account)
    }

    static func roots(_ authority: FixtureAuthority) -> [Certificate] { try! Certificate.parsePEM(authority.rootPEM) }

    static func chain(_ authority: FixtureAuthority, _ uri: String) throws -> [Certificate] {
        try Certificate.parsePEM(authority.issue(sans: ["URI:\(uri)"]).chainPEM)
    }

    static func bundles(federated: Bool = false) throws -> TrustBundles {
        var bundles = try TrustBundles(own: mesh, roots: roots(home))
        if federated { try bundles.replaceRoots(of: abroad, with: roots(foreign)) }
        return bundles
    }

    /// A real certificate; its key and SAN are right for `account`.
    static func svid(_ account: String = "web", version: UInt64 = 1, days: Int = 1) throws -> SVID {
        let issued = try home.issue(sans: ["URI:spiffe://mesh/ns/shop/sa/\(account)"], days: days)
        return try SVID(
            identity: identity(account), chain: Certificate.parsePEM(issued.chainPEM),
            key: PrivateKey(pem: issued.keyPEM),
            version: version)
    }
}
