import Mesh
import TLS

/// Exactly one URI in the subjectAltName, and it is a workload's SPIFFE ID (SPIFFE X509-SVID section 2): two would let
/// one certificate mean two workloads.
enum URISANRule {
    static func identity(of leaf: Certificate) -> Result<SPIFFEID, PeerRefusal> {
        guard leaf.uriSANs.count == 1, let uri = leaf.uriSANs.first else {
            return .failure(
                PeerRefusal(
                    .sanMismatch,
                    "the peer's certificate \(leaf.serial) has \(leaf.uriSANs.count) URI SANs instead of one"))
        }
        guard let identity = SPIFFEID(uri: uri) else {
            // A stranger chose this text: as much of it as helps, and no more, goes to the log.
            return .failure(
                PeerRefusal(
                    .sanMismatch,
                    "the peer's URI SAN \"\(uri.prefix(256))\" is not spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT"))
        }
        return .success(identity)
    }
}
