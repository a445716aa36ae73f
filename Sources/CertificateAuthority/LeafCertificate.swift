import FoundationEssentials
import SwiftASN1
import X509

/// The certificates that the authority gives to others (SPIFFE X509-SVID): one URI and no other name.
enum LeafCertificate {
    /// - Parameters:
    ///   - identity: the URI.
    ///   - usages: which ends of a connection it is for; workloads are both.
    static func make(
        for identity: String, _ publicKey: Certificate.PublicKey, validity: ClosedRange<Int64>,
        usages: [ExtendedKeyUsage.Usage] = [.serverAuth, .clientAuth], issuer: CertificateIssuer
    ) throws(AuthorityError) -> Certificate {
        do {
            let issuerKeyIdentifier = try issuer.certificate.extensions.subjectKeyIdentifier?.keyIdentifier
            return try Certificate(
                version: .v3, serialNumber: .random128(), publicKey: publicKey,
                notValidBefore: Date(timeIntervalSince1970: TimeInterval(validity.lowerBound)),
                notValidAfter: Date(timeIntervalSince1970: TimeInterval(validity.upperBound)),
                issuer: issuer.certificate.subject, subject: DistinguishedName(),
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(usages)
                    // Critical, since the subject is empty (RFC 5280 section 4.2.1.6).
                    Critical(SubjectAlternativeNames([.uniformResourceIdentifier(identity)]))
                    AuthorityKeyIdentifier(keyIdentifier: issuerKeyIdentifier)
                },
                issuerPrivateKey: issuer.key)
        } catch {
            throw AuthorityError(.signingFailed, "the certificate for \(identity) could not be signed: \(error)")
        }
    }
}

extension Certificate.SerialNumber {
    /// 128 random bits from the system's secure generator.
    static func random128() -> Self {
        var generator = SystemRandomNumberGenerator()
        return Self(bytes: (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
