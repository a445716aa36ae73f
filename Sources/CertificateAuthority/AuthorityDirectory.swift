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
///     rotation.json  other-root-cert.pem  other-root-key.pem                    0600, during a change of root
///   tokens/  revoked/         0700; JoinTokenStore, RevocationList
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

    /// The authority that is in `path` already, for commands; its trust domain is what its root is named after.
    /// - Throws: `fileUnusable` if there is none.
    package init(existing path: String) throws(AuthorityError) {
        // Only names of new roots are made of it.
        guard let fallback = TrustDomain("cluster.local") else {
            throw AuthorityError(.invalidAuthority, "'cluster.local' is not a trust domain")
        }
        let directory = AuthorityDirectory(path: path, trustDomain: fallback)
        let isThere = FileManager.default.fileExists(atPath: path)
        let generation = isThere ? try directory.newestGeneration() : nil
        guard directory.hasOperatorFiles || generation != nil else {
            throw AuthorityError(
                .fileUnusable,
                "there is no authority in \(path): name its directory with --ca-directory, on the machine where the controller runs"
            )
        }
        let files = directory.hasOperatorFiles ? path : directory.directory(of: generation ?? 0)
        let root = try AuthorityFile.certificates("\(files)/root-cert.pem").first
        let named = root?.subject.organizationName.flatMap { TrustDomain($0) }
        self.init(path: path, trustDomain: named ?? fallback)
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
        var attempts = 0
        while true {
            let generation = try currentGeneration(now: now)
            do throws(AuthorityError) {
                let directory = directory(of: generation)
                var issuer = try CertificateIssuer(paths(in: directory), trustDomain: trustDomain, now: now)
                issuer.rotation = try AuthorityGeneration.rotation(in: directory)
                linkRoot(of: generation)
                return issuer
            } catch {
                // The end of a change of root removes what was being read; then there is a newer one.
                attempts += 1
                guard attempts < 3, try newestGeneration() != generation else { throw error }
            }
        }
    }

    /// The newest generation, after making the first or replacing an issuer that is due.
    private func currentGeneration(now: Int64) throws(AuthorityError) -> Int {
        if try newestGeneration() == nil {
            let root = try NewAuthority.makeRoot(trustDomain, now: now)
            let issuer = try NewAuthority.makeIssuer(trustDomain, root: root, now: now)
            // If another agent was first, its one counts.
            _ = try write(AuthorityGeneration(root: root, issuer: issuer, change: nil), asGeneration: 1)
        }
        let generation = try requiredGeneration()
        if let successor = try successor(of: generation, now: now) {
            _ = try write(successor, asGeneration: generation + 1)
        }
        return try requiredGeneration()
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

    func newestGeneration() throws(AuthorityError) -> Int? {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
                .compactMap(Self.generationNumber).max()
        } catch {
            throw AuthorityError(.fileUnusable, "the directory \(path) of the authority cannot be read: \(error)")
        }
    }

    func requiredGeneration() throws(AuthorityError) -> Int {
        guard let generation = try newestGeneration() else {
            throw AuthorityError(.fileUnusable, "the directory \(path) of the authority was emptied while it was read")
        }
        return generation
    }

    /// What follows if the issuer is in the last third of its life; nil if nothing has to.
    private func successor(of generation: Int, now: Int64) throws(AuthorityError) -> AuthorityGeneration? {
        let directory = directory(of: generation)
        guard let issuer = try AuthorityFile.certificates("\(directory)/ca-cert.pem").first,
            issuer.notAfterSeconds - now < NewAuthority.issuerLifetimeInSeconds / 3,
            let certificate = try AuthorityFile.certificates("\(directory)/root-cert.pem").first,
            // A root that ends before the issuer would cannot help.
            certificate.notAfterSeconds > issuer.notAfterSeconds
        else { return nil }
        var successor = try AuthorityGeneration(reading: directory)
        successor.issuer = try NewAuthority.makeIssuer(trustDomain, root: successor.root, now: now)
        return successor
    }

    // MARK: Writing

    /// Writes a generation.
    /// - Returns: false if another wrote one of that number first: then that one counts.
    func write(_ generation: AuthorityGeneration, asGeneration number: Int) throws(AuthorityError) -> Bool {
        let hidden = "\(path)/.new-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let target = directory(of: number)
        do {
            // The directory is closed to others before a key is in it.
            try FileManager.default.createDirectory(
                atPath: hidden, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            defer { try? FileManager.default.removeItem(atPath: hidden) }
            try generation.write(to: hidden)
            try FileManager.default.moveItem(atPath: hidden, toPath: target)
            return true
        } catch {
            guard FileManager.default.fileExists(atPath: target) else {
                throw AuthorityError(.fileUnusable, "the authority cannot be written to \(path): \(error)")
            }
            return false
        }
    }

    /// The link that people and scripts use; the authority does without.
    func linkRoot(of generation: Int) {
        let link = "\(path)/root-cert.pem"
        let destination = "\(Self.generationPrefix)\(generation)/root-cert.pem"
        guard (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) != destination else { return }
        try? FileManager.default.removeItem(atPath: link)
        try? FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: destination)
    }

    /// Whether the operator put something here. An incomplete set counts, too: to make an authority next to it would
    /// hide the mistake.
    var hasOperatorFiles: Bool {
        if exists("ca-key.pem") || exists("ca-cert.pem") || exists("cert-chain.pem") { return true }
        guard exists("root-cert.pem") else { return false }
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(path)/root-cert.pem")
        return link?.hasPrefix(Self.generationPrefix) != true
    }

    // MARK: Names

    private static let generationPrefix = "authority-"

    /// The number in a generation's name; nil for other names.
    static func generationNumber(of name: String) -> Int? {
        name.hasPrefix(generationPrefix) ? Int(name.dropFirst(generationPrefix.count)) : nil
    }

    func directory(of generation: Int) -> String { "\(path)/\(Self.generationPrefix)\(generation)" }

    private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

    private func paths(in directory: String) -> AuthorityPaths {
        let chain = "\(directory)/cert-chain.pem"
        return AuthorityPaths(
            certificate: "\(directory)/ca-cert.pem", key: "\(directory)/ca-key.pem",
            chain: FileManager.default.fileExists(atPath: chain) ? chain : nil, roots: "\(directory)/root-cert.pem")
    }
}
