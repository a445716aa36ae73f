import Mesh
import TLS

/// A workload's key signs no certificates and no revocation lists (SPIFFE X509-SVID section 4.3).
enum KeyUsageRule {
    static func check(_ leaf: Certificate) -> PeerRefusal? {
        guard let usage = leaf.keyUsage, !usage.isDisjoint(with: [.certificateSign, .crlSign]) else { return nil }
        return PeerRefusal(.peerNotMTLS, "the key of the peer's certificate \(leaf.serial) may sign certificates")
    }
}
