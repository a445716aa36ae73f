package import Mesh
import X509

/// Where the parts of an authority are, all PEM.
package struct AuthorityPaths: Hashable, Sendable {
    /// The signing certificate.
    package var certificate: String
    /// Its private key.
    package var key: String
    /// The certificates between it and the root; nil if the root signed it.
    package var chain: String?
    /// Every root that is trusted.
    package var roots: String

    package init(certificate: String, key: String, chain: String? = nil, roots: String) {
        self.certificate = certificate
        self.key = key
        self.chain = chain
        self.roots = roots
    }
}

extension CertificateIssuer {
    /// An authority that the operator brings.
    /// - Parameter now: seconds since 1970.
    /// - Throws: `fileUnusable`, `permissionsTooOpen`, `invalidAuthority` or `authorityExpired`, naming the file.
    package init(_ paths: AuthorityPaths, trustDomain: TrustDomain, now: Int64) throws(AuthorityError) {
        let roots = try AuthorityFile.certificates(paths.roots)
        let own = try AuthorityFile.certificates(paths.certificate)
        guard let certificate = own.first else {
            throw AuthorityError(.invalidAuthority, "\(paths.certificate) holds no certificate")
        }
        let key = try AuthorityFile.privateKey(paths.key)
        guard key.publicKey == certificate.publicKey else {
            throw AuthorityError(.invalidAuthority, "\(paths.key) is not the key of \(paths.certificate)")
        }
        try Self.checkThatItMaySign(certificate, paths.certificate)
        var between = Array(own.dropFirst())
        if let chain = paths.chain { between += try AuthorityFile.certificates(chain) }
        let path = try Self.path(from: certificate, through: between, to: roots, paths)
        for step in path { try Self.checkValidity(of: step, paths, now: now) }
        self.init(
            trustDomain: trustDomain, certificate: certificate, key: key,
            intermediates: path.filter { !roots.contains($0) }, roots: roots,
            validity: try Self.commonValidity(of: path, paths))
    }

    private static func checkThatItMaySign(_ certificate: Certificate, _ path: String) throws(AuthorityError) {
        var isAuthority = false
        var maySign = true
        do {
            if case .isCertificateAuthority? = try certificate.extensions.basicConstraints { isAuthority = true }
            if let usage = try certificate.extensions.keyUsage { maySign = usage.keyCertSign }
        } catch {
            throw AuthorityError(.invalidAuthority, "\(path) has malformed extensions: \(error)")
        }
        guard isAuthority, maySign else {
            throw AuthorityError(.invalidAuthority, "\(path) may not sign certificates: it is not that of an authority")
        }
    }

    /// The certificates from `certificate` to a root, both included.
    private static func path(
        from certificate: Certificate, through candidates: [Certificate], to roots: [Certificate],
        _ paths: AuthorityPaths
    ) throws(AuthorityError) -> [Certificate] {
        var path = [certificate]
        var candidates = candidates.filter { $0 != certificate && !roots.contains($0) }
        var last = certificate
        while !roots.contains(last) {
            if let root = roots.first(where: { $0.signed(last) }) {
                path.append(root)
                return path
            }
            guard let index = candidates.firstIndex(where: { $0.signed(last) }) else {
                throw AuthorityError(
                    .invalidAuthority,
                    "no chain leads from \(paths.certificate) to a root in \(paths.roots): '\(last.issuer)' is missing in"
                        + " \(paths.chain ?? "the chain, and no chain file was given")")
            }
            last = candidates.remove(at: index)
            path.append(last)
        }
        return path
    }

    private static func checkValidity(
        of certificate: Certificate, _ paths: AuthorityPaths, now: Int64
    ) throws(AuthorityError) {
        guard certificate.notBeforeSeconds <= now, now <= certificate.notAfterSeconds else {
            throw AuthorityError(
                .authorityExpired,
                "'\(certificate.subject)' of \(paths.certificate) is valid from \(certificate.notValidBefore) to"
                    + " \(certificate.notValidAfter), which is not now: renew it, or check the clock")
        }
    }

    private static func commonValidity(
        of path: [Certificate], _ paths: AuthorityPaths
    ) throws(AuthorityError) -> ClosedRange<Int64> {
        let start = path.map(\.notBeforeSeconds).max() ?? .max
        let end = path.map(\.notAfterSeconds).min() ?? .min
        guard start <= end else {
            throw AuthorityError(
                .invalidAuthority, "the certificates above \(paths.certificate) are never valid together")
        }
        return start...end
    }
}

extension Certificate {
    /// Whether this is the issuer of `other`.
    fileprivate func signed(_ other: Certificate) -> Bool {
        subject == other.issuer && publicKey.isValidSignature(other.signature, for: other)
    }
}
