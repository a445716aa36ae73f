package import Mesh
package import TLS

/// The roots of every trust domain that this mesh believes: its own, and those it is federated with; and the
/// certificates that are believed no more although a root signed them.
package struct TrustBundles: Sendable {
    /// This mesh's own trust domain.
    package let own: TrustDomain
    /// Counts up with every change; caches of verdicts are keyed by it.
    package private(set) var version: UInt64 = 0
    /// Serial numbers of certificates that were taken back, as `Certificate.canonicalSerial` has them.
    package private(set) var revokedSerials: Set<String> = []
    private var stores: [TrustDomain: TrustStore] = [:]

    /// No roots yet: nobody is trusted.
    package init(own: TrustDomain) { self.own = own }

    /// Throws `badCertificate` if one of `roots` is no certificate authority or there is none.
    package init(own: TrustDomain, roots: [Certificate]) throws(IdentityError) {
        self.own = own
        try replaceRoots(of: own, with: roots)
    }

    /// From now on `domain` has exactly these roots. Throws `badCertificate` and changes nothing if they are unusable.
    package mutating func replaceRoots(of domain: TrustDomain, with roots: [Certificate]) throws(IdentityError) {
        if stores[domain]?.roots == roots { return }
        do throws(TLSError) {
            stores[domain] = try TrustStore(roots: roots)
        } catch {
            throw IdentityError(.badCertificate, "roots of trust domain \(domain): \(error.message)")
        }
        version += 1
    }

    /// Nobody of `domain` is trusted any more. Does nothing if nobody was.
    package mutating func removeRoots(of domain: TrustDomain) {
        if stores.removeValue(forKey: domain) != nil { version += 1 }
    }

    /// From now on exactly these certificates are taken back.
    /// - Parameter serials: hexadecimal, in either case, with or without leading zeros.
    package mutating func replaceRevoked(_ serials: some Sequence<String>) {
        let canonical = Set(serials.map(Certificate.canonicalSerial))
        guard canonical != revokedSerials else { return }
        revokedSerials = canonical
        version += 1
    }

    /// The roots of `domain`; empty if it is not trusted.
    package func roots(of domain: TrustDomain) -> [Certificate] { stores[domain]?.roots ?? [] }

    /// The domains with roots, in no order.
    package var domains: some Sequence<TrustDomain> { stores.keys }

    func store(of domain: TrustDomain) -> TrustStore? { stores[domain] }
}
