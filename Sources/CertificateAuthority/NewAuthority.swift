import Crypto
import FoundationEssentials
import Mesh
import SwiftASN1
import X509

/// A certificate and its key, as they are kept.
struct KeyedCertificate {
    var certificate: Certificate
    var key: Certificate.PrivateKey
}

/// Makes the certificates of an own authority: a root that only signs the issuer, and the issuer that signs workloads.
enum NewAuthority {
    /// Ten years.
    static let rootLifetimeInSeconds: Int64 = 3650 * 86400
    /// One year.
    static let issuerLifetimeInSeconds: Int64 = 365 * 86400

    static func makeRoot(_ trustDomain: TrustDomain, now: Int64) throws(AuthorityError) -> KeyedCertificate {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try name("meshnode root", trustDomain)
        let until = now + rootLifetimeInSeconds
        return try make(
            name, key, issuer: name, issuerKey: key, .isCertificateAuthority(maxPathLength: nil), now...until)
    }

    static func makeIssuer(
        _ trustDomain: TrustDomain, root: KeyedCertificate, now: Int64
    ) throws(AuthorityError) -> KeyedCertificate {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let until = min(now + issuerLifetimeInSeconds, root.certificate.notAfterSeconds)
        guard until > now else { throw AuthorityError(.authorityExpired, "the root certificate has expired") }
        return try make(
            try name("meshnode issuer", trustDomain), key, issuer: root.certificate.subject, issuerKey: root.key,
            .isCertificateAuthority(maxPathLength: 0), now...until)
    }

    /// The name ends in random digits: two roots, as there are during a change of root, must not share a name.
    private static func name(_ role: String, _ trustDomain: TrustDomain) throws(AuthorityError) -> DistinguishedName {
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        do {
            return try DistinguishedName {
                OrganizationName(trustDomain.name)
                CommonName("\(role) \(digits)")
            }
        } catch {
            throw AuthorityError(
                .signingFailed, "the trust domain \(trustDomain) cannot be the name of a certificate: \(error)")
        }
    }

    private static func make(
        _ subject: DistinguishedName, _ key: Certificate.PrivateKey, issuer: DistinguishedName,
        issuerKey: Certificate.PrivateKey, _ constraints: BasicConstraints, _ validity: ClosedRange<Int64>
    ) throws(AuthorityError) -> KeyedCertificate {
        let start = validity.lowerBound - CertificateIssuer.backdatingInSeconds
        do {
            let certificate = try Certificate(
                version: .v3, serialNumber: .random128(), publicKey: key.publicKey,
                notValidBefore: Date(timeIntervalSince1970: TimeInterval(start)),
                notValidAfter: Date(timeIntervalSince1970: TimeInterval(validity.upperBound)),
                issuer: issuer, subject: subject,
                extensions: try Certificate.Extensions {
                    Critical(constraints)
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: issuerKey.publicKey).keyIdentifier)
                },
                issuerPrivateKey: issuerKey)
            return KeyedCertificate(certificate: certificate, key: key)
        } catch {
            throw AuthorityError(.signingFailed, "the certificate of \(subject) could not be made: \(error)")
        }
    }
}
