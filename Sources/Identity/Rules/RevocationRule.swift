import Mesh
import TLS

/// No certificate of the chain was taken back.
enum RevocationRule {
    static func check(_ chain: [Certificate], _ bundles: TrustBundles) -> PeerRefusal? {
        guard !bundles.revokedSerials.isEmpty,
            let revoked = chain.first(where: {
                bundles.revokedSerials.contains(Certificate.canonicalSerial($0.serial))
            })
        else { return nil }
        return PeerRefusal(
            .certificateRevoked,
            revoked == chain.first
                ? "the peer's certificate \(revoked.serial) was taken back"
                : "the authority's certificate \(revoked.serial) above the peer's was taken back")
    }
}
