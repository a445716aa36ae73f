import FoundationEssentials
package import Mesh
import SwiftASN1
import X509

/// A signing certificate with its key, and the way from it to the roots: everything that signing needs, checked.
package struct CertificateIssuer: Sendable {
    /// Lifetime of a workload certificate, in seconds, where the caller asks for none; and the longest there is.
    package static let lifetimeInSeconds: Int64 = 24 * 3600
    /// How far a certificate is valid in the past, in seconds, for peers whose clocks are behind.
    static let backdatingInSeconds: Int64 = 300

    /// The trust domain whose identities are signed.
    package let trustDomain: TrustDomain
    let certificate: Certificate
    let key: Certificate.PrivateKey
    /// From the signing certificate towards the root, without the root. Empty if a root signs.
    let intermediates: [Certificate]
    let roots: [Certificate]
    /// The time that every certificate from the leaf to the root is within.
    let validity: ClosedRange<Int64>
    /// The change of root that the files are in the middle of.
    var rotation: RootRotation?

    /// What the status report shows.
    package var status: AuthorityStatus {
        AuthorityStatus(
            roots: roots.map(AuthorityStatus.Item.init), issuer: AuthorityStatus.Item(certificate), rotation: rotation)
    }

    /// Every trusted root, PEM.
    /// - Throws: `signingFailed` if a certificate cannot be encoded.
    package func rootsPEM() throws(AuthorityError) -> String { try roots.mapTyped(Encoding.pem).joined() }

    /// Every trusted root, DER.
    /// - Throws: `signingFailed` if a certificate cannot be encoded.
    package func rootsDER() throws(AuthorityError) -> [[UInt8]] { try roots.mapTyped(Encoding.der) }

    /// Signs a certificate for `identity` with the key of a request. Names and extensions in the request are ignored:
    /// the caller must have been authorised for `identity` (`SigningPolicy`).
    /// - Parameters:
    ///   - lifetimeInSeconds: wanted lifetime; 0 or less for the default. It never exceeds the default, nor the life
    ///     of the certificates above.
    ///   - now: seconds since 1970.
    /// - Throws: `invalidRequest`, `identityRefused` for another trust domain, `authorityExpired`, `signingFailed`.
    package func sign(
        requestDER: [UInt8], identity: SPIFFEID, lifetimeInSeconds: Int64 = 0, now: Int64
    ) throws(AuthorityError) -> IssuedCertificate {
        guard identity.trustDomain == trustDomain else {
            throw AuthorityError(.identityRefused, "\(identity) is not of the trust domain \(trustDomain)")
        }
        let publicKey = try SigningRequest.publicKey(der: requestDER)
        let longest = Self.lifetimeInSeconds
        let lifetime = lifetimeInSeconds > 0 ? min(lifetimeInSeconds, longest) : longest
        let validity = try leafValidity(lifetimeInSeconds: lifetime, now: now)
        let leaf = try LeafCertificate.make(
            for: identity.description, publicKey, validity: validity, issuer: self)
        return try issued(leaf, validity: validity)
    }

    /// Signs as `sign(requestDER:)` does; the request is PEM.
    package func sign(
        requestPEM: String, identity: SPIFFEID, lifetimeInSeconds: Int64 = 0, now: Int64
    ) throws(AuthorityError) -> IssuedCertificate {
        try sign(
            requestDER: try SigningRequest.der(pem: requestPEM), identity: identity,
            lifetimeInSeconds: lifetimeInSeconds, now: now)
    }

    /// Begins a little in the past, for peers whose clocks are behind, and ends with the certificates above.
    func leafValidity(lifetimeInSeconds: Int64, now: Int64) throws(AuthorityError) -> ClosedRange<Int64> {
        guard validity.contains(now) else {
            throw AuthorityError(
                .authorityExpired,
                "the authority is valid from \(validity.lowerBound) to \(validity.upperBound), now is \(now)")
        }
        // Within `validity`, so neither sum can overflow.
        // A certificate of seconds is not backdated by minutes, for who looks at it judges its age by its whole span.
        let start = max(now - min(Self.backdatingInSeconds, lifetimeInSeconds), validity.lowerBound)
        return start...min(now + lifetimeInSeconds, validity.upperBound)
    }

    func issued(_ leaf: Certificate, validity: ClosedRange<Int64>) throws(AuthorityError) -> IssuedCertificate {
        let chain = [leaf] + intermediates
        return IssuedCertificate(
            chain: try chain.mapTyped(Encoding.der), roots: try rootsDER(),
            chainPEM: try chain.mapTyped(Encoding.pem) + [try rootsPEM()],
            notBefore: validity.lowerBound, notAfter: validity.upperBound)
    }
}
