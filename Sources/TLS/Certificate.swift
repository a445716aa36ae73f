/// An X.509 certificate: its DER and the facts that the mesh asks about. Facts only; whether to trust it is for others.
package struct Certificate: Hashable, Sendable {
    /// The encoding, exactly one certificate.
    package let der: [UInt8]
    /// First second of its validity.
    package let notBefore: Int64
    /// Last second of its validity, inclusive (RFC 5280 section 4.1.2.5).
    package let notAfter: Int64
    /// The URIs of its subjectAltName, in order; names of other types are left out.
    package let uriSANs: [String]
    /// basicConstraints says that it is a certificate authority.
    package let isCA: Bool
    /// Nil if it has no keyUsage extension.
    package let keyUsage: KeyUsage?
    /// Nil if it has no extendedKeyUsage extension.
    package let extendedKeyUsage: ExtendedKeyUsage?
    /// Lower-case hexadecimal, without leading zeros beyond the byte.
    package let serial: String
    package let fingerprint: CertificateFingerprint
    /// The parsed form, kept because reading a certificate again costs as much as checking a signature.
    let x509: X509Reference

    init(
        x509: X509Reference, der: [UInt8], notBefore: Int64, notAfter: Int64, uriSANs: [String], isCA: Bool,
        keyUsage: KeyUsage?,
        extendedKeyUsage: ExtendedKeyUsage?, serial: String, fingerprint: CertificateFingerprint
    ) {
        self.x509 = x509
        self.der = der
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.uriSANs = uriSANs
        self.isCA = isCA
        self.keyUsage = keyUsage
        self.extendedKeyUsage = extendedKeyUsage
        self.serial = serial
        self.fingerprint = fingerprint
    }

    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.fingerprint == rhs.fingerprint }

    package func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }
}

extension Certificate {
    /// A serial number as it is compared: lower-case hexadecimal without separators and leading zeros, which writers
    /// differ in.
    package static func canonicalSerial(_ text: String) -> String {
        String(text.lowercased().filter { $0 != ":" }.drop { $0 == "0" })
    }
}

extension Certificate: CustomStringConvertible {
    package var description: String { "certificate \(serial) \(uriSANs)" }
}

/// The bits of keyUsage (RFC 5280 section 4.2.1.3), numbered as OpenSSL does.
package struct KeyUsage: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let digitalSignature = KeyUsage(rawValue: 0x80)
    package static let certificateSign = KeyUsage(rawValue: 0x04)
    package static let crlSign = KeyUsage(rawValue: 0x02)
}

/// The purposes of extendedKeyUsage that matter here (RFC 5280 section 4.2.1.12), numbered as OpenSSL does.
package struct ExtendedKeyUsage: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let serverAuth = ExtendedKeyUsage(rawValue: 0x001)
    package static let clientAuth = ExtendedKeyUsage(rawValue: 0x002)
    package static let any = ExtendedKeyUsage(rawValue: 0x100)
}
