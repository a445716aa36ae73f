import Mesh
import TLS

/// extendedKeyUsage, if it is there, holds both serverAuth and clientAuth (SPIFFE X509-SVID section 4.4): workloads
/// play both roles.
enum ExtendedKeyUsageRule {
    static func check(_ leaf: Certificate) -> PeerRefusal? {
        guard let usage = leaf.extendedKeyUsage, !usage.isSuperset(of: [.serverAuth, .clientAuth]) else { return nil }
        return PeerRefusal(
            .peerNotMTLS, "the peer's certificate \(leaf.serial) is not for both server and client authentication")
    }
}
