import Mesh
import TLS

/// A workload's certificate is not a certificate authority (SPIFFE X509-SVID section 4.1).
enum AuthorityRule {
    static func check(_ leaf: Certificate) -> PeerRefusal? {
        leaf.isCA ? PeerRefusal(.peerNotMTLS, "the peer's certificate \(leaf.serial) is a certificate authority") : nil
    }
}
