package import Identity
package import Mesh
package import TLS

/// The certificates of one loop: who this node's workloads are, and whom they believe. OpenSSL's contexts are made once
/// per identity and certificate, and are never shared between loops.
package final class LoopIdentities {
    private struct Entry {
        let svid: SVID
        let client: TLSContext
        let server: TLSContext
    }

    private var entries: [SPIFFEID: Entry] = [:]
    /// Why an identity that is needed has no entry, as far as that was told.
    private var absences: [SPIFFEID: CertificateAbsence] = [:]
    private(set) var bundles: TrustBundles?
    let cache = VerificationCache()

    package init() {}

    /// Takes a new certificate. Tunnels that exist keep the one that they were made with.
    /// Throws if OpenSSL refuses it; the old one stays then.
    package func update(_ svid: SVID) throws(TLSError) {
        let client = try TLSContext(role: .client, chain: svid.chain, key: svid.key)
        let server = try TLSContext(role: .server, chain: svid.chain, key: svid.key)
        entries[svid.identity] = Entry(svid: svid, client: client, server: server)
        absences[svid.identity] = nil
    }

    /// No workload of this node has the identity any more.
    package func remove(_ identity: SPIFFEID) {
        entries[identity] = nil
        absences[identity] = nil
    }

    /// The identity is needed and has no certificate to show, until `update` brings one. Whoever is refused for that
    /// is told `absence`.
    package func remove(_ identity: SPIFFEID, because absence: CertificateAbsence) {
        entries[identity] = nil
        absences[identity] = absence
    }

    /// Why `identity` has no certificate to show; nil if it has one.
    package func absence(of identity: SPIFFEID) -> CertificateAbsence? {
        entries[identity] == nil ? absences[identity] ?? .missing(identity) : nil
    }

    /// Replaces the roots that peers are checked against, from the next handshake on.
    package func update(_ bundles: TrustBundles) {
        self.bundles = bundles
    }

    /// There are a certificate and roots to check peers against.
    package func isAvailable(_ identity: SPIFFEID) -> Bool {
        entries[identity] != nil && bundles != nil
    }

    /// What a connection of `identity` in `role` needs.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: why there is none; no other endpoint would help.
    func credentials(
        of identity: SPIFFEID, role: TLSRole, at now: Int64
    ) throws(TunnelFailure) -> LoopCredentials {
        guard let entry = entries[identity], let bundles else {
            let absence = absence(of: identity)
            throw TunnelFailure(
                absence?.reason ?? .certificateUnavailable,
                "\(absence?.text(at: now) ?? "no roots to check peers against yet"); see `meshnode certificates`",
                mayRetryElsewhere: false)
        }
        return LoopCredentials(
            identity: identity, context: role == .client ? entry.client : entry.server, bundles: bundles,
            version: entry.svid.version, notBefore: entry.svid.notBefore, notAfter: entry.svid.notAfter)
    }

    /// The certificate of `identity`, if it has one.
    func svid(of identity: SPIFFEID) -> SVID? { entries[identity]?.svid }

    /// The version of the certificate that new tunnels of `identity` are made with; nil if there is none.
    func version(of identity: SPIFFEID) -> UInt64? { entries[identity]?.svid.version }
}

/// What one tunnel was made with.
struct LoopCredentials {
    let identity: SPIFFEID
    let context: TLSContext
    let bundles: TrustBundles
    /// Of the certificate.
    let version: UInt64
    /// First and last second of the certificate's validity, since 1970.
    let notBefore: Int64
    let notAfter: Int64

    /// From when on a tunnel is replaced by one with the renewed certificate: early enough that none is in use when
    /// the certificate expires, late enough that a renewal is no storm of handshakes.
    var replacedFrom: Int64 { notAfter - max(1, (notAfter - max(0, notBefore)) / 10) }
}
