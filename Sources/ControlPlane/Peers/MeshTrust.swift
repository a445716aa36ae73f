internal import CertificateAuthority
internal import FoundationEssentials
package import Mesh
internal import SwiftASN1
internal import X509

/// What a peer is checked against: the roots of the mesh, and what was revoked. A value: put a new one in its place when
/// it changes.
package struct MeshTrust: Sendable {
    /// The mesh.
    package let trustDomain: TrustDomain
    let roots: [Certificate]
    let revokedSerials: Set<String>

    /// - Parameters:
    ///   - bundlePEM: every root that is trusted.
    ///   - revokedSerials: serial numbers that count no longer, hexadecimal, lower case.
    /// - Throws: `invalidConfiguration` if the bundle holds no certificate or something else.
    package init(
        trustDomain: TrustDomain, bundlePEM: String, revokedSerials: some Sequence<String> = []
    ) throws(ControlPlaneError) {
        self.trustDomain = trustDomain
        self.revokedSerials = Set(revokedSerials.compactMap { RevocationList.canonicalSerial($0) })
        roots = try Certificate.all(inPEM: bundlePEM, what: "the trust bundle")
    }

    init(trustDomain: TrustDomain, roots: [Certificate]) {
        self.trustDomain = trustDomain
        self.roots = roots
        revokedSerials = []
    }
}

extension Certificate {
    /// The certificates in `text`, at least one.
    /// - Throws: `invalidConfiguration`, naming `what`.
    static func all(inPEM text: String, what: String) throws(ControlPlaneError) -> [Certificate] {
        do {
            let certificates = try PEMDocument.parseMultiple(pemString: text).map { try Certificate(pemDocument: $0) }
            if !certificates.isEmpty { return certificates }
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "\(what) is no PEM of certificates: \(error)")
        }
        throw ControlPlaneError(.invalidConfiguration, "\(what) holds no certificate")
    }

    /// First second of validity, since 1970.
    var firstSecond: Int64 { Int64(clamping: notValidBefore.timeIntervalSince1970) }

    /// Last second of validity, since 1970.
    var lastSecond: Int64 { Int64(clamping: notValidAfter.timeIntervalSince1970) }

    /// As revocation lists have it.
    var serialText: String {
        let text = serialNumber.bytes.map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
        return RevocationList.canonicalSerial(text) ?? text
    }

    /// The one name of it, if that is a URI; nil if there are none or several.
    var singleURI: String? {
        guard let names = try? extensions.subjectAlternativeNames, names.count == 1,
            case .uniformResourceIdentifier(let uri)? = names.first
        else { return nil }
        return uri
    }

    /// Signed by its own key.
    var isSelfSigned: Bool { subject == issuer && publicKey.isValidSignature(signature, for: self) }
}

extension Int64 {
    /// A time that no date of ours reaches becomes the nearest that there is.
    fileprivate init(clamping seconds: Double) {
        self = Int64(exactly: Swift.max(-1e15, Swift.min(1e15, seconds.rounded(.down)))) ?? 0
    }
}
