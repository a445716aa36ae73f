package import Mesh

/// What the owner of a `CertificateStore` does next.
package enum CertificateAction: Sendable {
    /// Make a key, ask the CA, then call `issued` or `failed`. One request per identity is under way at a time.
    case request(SPIFFEID)
    /// Give this to every loop: new connections use it.
    case publish(SVID)
    /// Its certificate has expired: no new connections of this identity until the next `publish`. Said again when there
    /// is a newer reason why (`CertificateStore.absence`).
    case expired(SPIFFEID)
    /// No workload here has this identity any more: destroy key and certificate everywhere.
    case forget(SPIFFEID)
}
