internal import Identity
internal import Mesh
internal import TLS

extension WorkerState {
    /// Takes in certificates, roots and revocations. One that cannot be written is left out: the successor asks for
    /// another.
    mutating func take(_ svids: [SVID], _ trust: TrustBundles) {
        certificates = svids.compactMap { svid in
            guard let key = try? svid.key.der() else { return nil }
            return Certificate(
                identity: svid.identity.description, chain: svid.chain.map(\.der), key: key, version: svid.version)
        }
        bundles = trust.domains.map { domain in
            Bundle(trustDomain: domain.name, roots: trust.roots(of: domain).map(\.der))
        }
        revokedSerials = trust.revokedSerials.sorted()
    }

    /// The certificates that are what they should be and have not expired or been taken back at `now` (seconds since
    /// 1970). The others are asked for anew, so nothing is said of them.
    func svids(at now: Int64) -> [SVID] {
        let revoked = Set(revokedSerials)
        return certificates.compactMap { saved in
            guard let identity = SPIFFEID(uri: saved.identity), let key = try? PrivateKey(der: saved.key),
                let chain = try? saved.chain.map({ try TLS.Certificate(der: $0) }),
                let svid = try? SVID(identity: identity, chain: chain, key: key, version: saved.version),
                now <= svid.notAfter, !revoked.contains(svid.canonicalSerial)
            else { return nil }
            return svid
        }
    }

    /// The roots and what was taken back. Throws `unusableState` if there are no roots of `own`.
    func trustBundles(own: TrustDomain) throws(AgentError) -> TrustBundles {
        var trust = TrustBundles(own: own)
        for bundle in bundles {
            guard let domain = TrustDomain(bundle.trustDomain),
                let roots = try? bundle.roots.map({ try TLS.Certificate(der: $0) })
            else { throw .unusable("the roots of '\(bundle.trustDomain.prefix(255))' cannot be read") }
            do throws(IdentityError) {
                try trust.replaceRoots(of: domain, with: roots)
            } catch {
                throw .unusable(error.message)
            }
        }
        guard !trust.roots(of: own).isEmpty else { throw .unusable("it has no roots of \(own)") }
        trust.replaceRevoked(revokedSerials)
        return trust
    }
}
