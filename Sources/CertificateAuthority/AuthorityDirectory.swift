import FoundationEssentials
package import Mesh
import SwiftASN1
import X509

/// The directory of an own authority, made on first start.
///
/// ```
/// DIRECTORY/                  0700
///   root-cert.pem             -> authority-N/root-cert.pem, for people and scripts
///   authority-1/              0700; the highest number counts
///     root-cert.pem  root-key.pem  ca-cert.pem  ca-key.pem  cert-chain.pem      0600
/// ```
/// A generation is written under a hidden name and then renamed. A directory that holds files cannot be renamed over,
/// so of several agents that start at once exactly one creates, whole or not at all, and the others read; no lock is
/// left behind by one that was killed. If the operator put `ca-key.pem`, `ca-cert.pem`, `root-cert.pem` and, where there
/// are certificates between, `cert-chain.pem` into DIRECTORY itself, those are used and nothing is made.
package struct AuthorityDirectory: Sendable {
    /// Where it is.
    package let path: String
    /// The trust domain that it signs for.
    package let trustDomain: TrustDomain

    package init(path: String, trustDomain: TrustDomain) {
        self.path = path
        self.trustDomain = trustDomain
    }

    /// Reads the authority, and makes it if there is none. An issuer of ours in the last third of its life is replaced
    /// under the same root: call this again from time to time (once a day is often enough).
    /// - Parameter now: seconds since 1970.
    /// - Throws: `fileUnusable`, `permissionsTooOpen`, `invalidAuthority` or `authorityExpired`, naming the file.
    package func open(now: Int64) throws(AuthorityError) -> CertificateIssuer {
        try prepare()
        if hasOperatorFiles {
            return try CertificateIssuer(paths(in: path), trustDomain: trustDomain, now: now)
        }
        if try newestGeneration() == nil {
            let root = try NewAuthority.makeRoot(trustDomain, now: now)
            try write(root, issuer: try NewAuthority.makeIssuer(trustDomain, root: root, now: now), asGeneration: 1)
        }
        let generation = try requiredGeneration()
        if let successor = try successor(of: generation, now: now) {
            try write(successor.root, issuer: successor.issuer, asGeneration: generation + 1)
        }
        let current = try requiredGeneration()
        linkRoot(of: current)
        return try CertificateIssuer(paths(in: directory(of: current)), trustDomain: trustDomain, now: now)
    }

    // MARK: Reading

    private func prepare() throws(AuthorityError) {
        do {
            if !FileManager.default.fileExists(atPath: path) {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
        } catch {
            // Another agent may have made it just now.
            guard FileManager.default.fileExists(atPath: path) else {
                throw AuthorityError(.fileUnusable, "the directory \(path) of the authority cannot be made: \(error)")
            }
        }
        guard try AuthorityFile.permissions(path) & 0o022 == 0 else {
            throw AuthorityError(
                .permissionsTooOpen,
                "other users may change the directory \(path) of the authority: run chmod 700 on it")
        }
    }

    private func newestGeneration() throws(AuthorityError) -> Int? {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
                .compactMap { name in
                    name.hasPrefix(Self.generationPrefix) ? Int(name.dropFirst(Self.generationPrefix.count)) : nil
                }
                .max()
        } catch {
            throw AuthorityError(.fileUnusable, "the directory \(path) of the authority cannot be read: \(error)")
        }
    }

    private func requiredGeneration() throws(AuthorityError) -> Int {
        guard let generation = try newestGeneration() else {
            throw AuthorityError(.fileUnusable, "the directory \(path) of the authority was emptied while it was read")
        }
        return generation
    }

    /// What follows if the issuer is in the last third of its life; nil if nothing has to.
    private func successor(
        of generation: Int, now: Int64
    ) throws(AuthorityError) -> (root: KeyedCertificate, issuer: KeyedCertificate)? {
        let directory = directory(of: generation)
        guard let issuer = try AuthorityFile.certificates("\(directory)/ca-cert.pem").first,
            issuer.notAfterSeconds - now < NewAuthority.issuerLifetimeInSeconds / 3,
            let certificate = try AuthorityFile.certificates("\(directory)/root-cert.pem").first,
            // A root that ends before the issuer would cannot help.
            certificate.notAfterSeconds > issuer.notAfterSeconds
        else { return nil }
        let root = KeyedCertificate(
            certificate: certificate, key: try AuthorityFile.privateKey("\(directory)/root-key.pem"))
        return (root, try NewAuthority.makeIssuer(trustDomain, root: root, now: now))
    }

    // MARK: Writing

    /// Writes a generation, unless another agent wrote one of that number first: then that one counts.
    private func write(
        _ root: KeyedCertificate, issuer: KeyedCertificate, asGeneration generation: Int
    ) throws(AuthorityError) {
        let hidden = "\(path)/.new-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let target = directory(of: generation)
        do {
            // The directory is closed to others before a key is in it.
            try FileManager.default.createDirectory(
                atPath: hidden, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            defer { try? FileManager.default.removeItem(atPath: hidden) }
            try put(try Encoding.pem(root.certificate), "\(hidden)/root-cert.pem")
            try put(try root.key.serializeAsPEM().pemString + "\n", "\(hidden)/root-key.pem")
            try put(try Encoding.pem(issuer.certificate), "\(hidden)/ca-cert.pem")
            try put(try issuer.key.serializeAsPEM().pemString + "\n", "\(hidden)/ca-key.pem")
            try put(try Encoding.pem(issuer.certificate), "\(hidden)/cert-chain.pem")
            try FileManager.default.moveItem(atPath: hidden, toPath: target)
        } catch {
            guard FileManager.default.fileExists(atPath: target) else {
                throw AuthorityError(.fileUnusable, "the authority cannot be written to \(path): \(error)")
            }
        }
    }

    private func put(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    /// The link that people and scripts use; the authority does without.
    private func linkRoot(of generation: Int) {
        guard !exists("root-cert.pem") else { return }
        try? FileManager.default.createSymbolicLink(
            atPath: "\(path)/root-cert.pem", withDestinationPath: "\(Self.generationPrefix)\(generation)/root-cert.pem")
    }

    /// Whether the operator put something here. An incomplete set counts, too: to make an authority next to it would
    /// hide the mistake.
    private var hasOperatorFiles: Bool {
        if exists("ca-key.pem") || exists("ca-cert.pem") || exists("cert-chain.pem") { return true }
        guard exists("root-cert.pem") else { return false }
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(path)/root-cert.pem")
        return link?.hasPrefix(Self.generationPrefix) != true
    }

    // MARK: Names

    private static let generationPrefix = "authority-"

    private func directory(of generation: Int) -> String { "\(path)/\(Self.generationPrefix)\(generation)" }

    private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

    private func paths(in directory: String) -> AuthorityPaths {
        let chain = "\(directory)/cert-chain.pem"
        return AuthorityPaths(
            certificate: "\(directory)/ca-cert.pem", key: "\(directory)/ca-key.pem",
            chain: FileManager.default.fileExists(atPath: chain) ? chain : nil, roots: "\(directory)/root-cert.pem")
    }
}
