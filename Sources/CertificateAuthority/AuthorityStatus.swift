import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// The certificates of the authority, for the status report.
package struct AuthorityStatus: Hashable, Sendable {
    /// One of them.
    package struct Item: Hashable, Sendable {
        /// Its common name, or its whole subject if it has none.
        package let subject: String
        /// Its serial number, lower-case hexadecimal.
        package let serial: String
        /// First second of validity, since 1970.
        package let notBefore: Int64
        /// Last second of validity, since 1970.
        package let notAfter: Int64
        /// SHA-256 of its DER: 64 lower-case hexadecimal digits.
        package let fingerprint: String

        init(_ certificate: Certificate) {
            subject = certificate.subject.commonName ?? certificate.subject.description
            serial = certificate.serialNumber.bytes.hexadecimal
            notBefore = certificate.notBeforeSeconds
            notAfter = certificate.notAfterSeconds
            fingerprint = ((try? Encoding.der(certificate)).map { Array(SHA256.hash(data: $0)) } ?? []).hexadecimal
        }
    }

    /// Every root that is trusted; of an own authority the one that signs first.
    package let roots: [Item]
    /// What signs workload certificates.
    package let issuer: Item
    /// The change of root that is under way; nil if there is none, or if the operator brings the files.
    package let rotation: RootRotation?
}

extension Certificate {
    /// First second of validity, since 1970.
    var notBeforeSeconds: Int64 { Int64(notValidBefore.timeIntervalSince1970.rounded()) }
    /// Last second of validity, since 1970.
    var notAfterSeconds: Int64 { Int64(notValidAfter.timeIntervalSince1970.rounded()) }
}

extension DistinguishedName {
    /// The last common name; nil if there is none.
    fileprivate var commonName: String? { last(.RDNAttributeType.commonName) }

    /// The last organisation; nil if there is none.
    var organizationName: String? { last(.RDNAttributeType.organizationName) }

    private func last(_ type: ASN1ObjectIdentifier) -> String? {
        var name: String?
        for part in self {
            for attribute in part where attribute.type == type { name = String(attribute.value) ?? name }
        }
        return name
    }
}
