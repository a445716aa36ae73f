import Crypto
import FoundationEssentials

/// The join tokens of an authority, one file each, so that neither a crash nor two processes at once leave half of one.
///
/// ```
/// DIRECTORY/tokens/           0700
///   ID.json                   0600  node, times, and SHA-256 of the secret; the secret itself is nowhere
///   ID.used.json              0600  SHA-256 of the key that it let in; made once, by link(2)
/// ```
package struct JoinTokenStore: Sendable {
    /// One token, as it is listed.
    package struct Entry: Hashable, Sendable {
        /// Names the token.
        package let id: String
        /// The one node that it lets in.
        package let node: String
        /// Seconds since 1970.
        package let createdAt: Int64
        /// Last second in which it can be used, since 1970.
        package let expiresAt: Int64
        /// When it let its node in, in seconds since 1970; nil if it did not yet.
        package let usedAt: Int64?
    }

    private struct Kept: Codable {
        var node: String
        var secretSHA256: String
        var createdAt: Int64
        var expiresAt: Int64
    }

    private struct Use: Codable {
        var publicKeySHA256: String
        var usedAt: Int64
    }

    /// How long a token can be used where the caller does not say, in seconds.
    package static let lifetimeInSeconds: Int64 = 3600
    /// The longest lifetime of a token, in seconds.
    package static let longestLifetimeInSeconds: Int64 = 30 * 86400
    /// How long an expired token is kept so that who comes late is told why, in seconds.
    static let keptAfterExpiryInSeconds: Int64 = 86400

    private let directory: String

    /// - Parameter directory: the authority's directory.
    package init(directory: String) { self.directory = "\(directory)/tokens" }

    // MARK: For the operator

    /// Makes a token for `node`. What expired more than a day ago is removed.
    /// - Parameters:
    ///   - node: the node's name (RFC 1123 subdomain).
    ///   - lifetimeInSeconds: 1 through thirty days.
    ///   - now: seconds since 1970.
    ///   - rootFingerprint: of the mesh's root (`CertificateIssuer.rootFingerprint`).
    /// - Returns: the token: the only time that its secret is seen.
    /// - Throws: `identityRefused` for a name that no node can have, `tokenUnknown` for a lifetime out of its limits,
    ///   `fileUnusable`.
    package func create(
        node: String, lifetimeInSeconds: Int64 = JoinTokenStore.lifetimeInSeconds, now: Int64, rootFingerprint: String
    ) throws(AuthorityError) -> String {
        guard NodeIdentity.isSubdomain(node) else {
            throw AuthorityError(
                .identityRefused, "'\(node)' cannot be the name of a node: lower-case letters, digits, '-' and '.'")
        }
        guard (1...Self.longestLifetimeInSeconds).contains(lifetimeInSeconds) else {
            throw AuthorityError(.tokenUnknown, "a join token is valid for 1 second through 30 days")
        }
        sweep(now: now)
        let token = JoinToken(
            id: Self.random(bytes: 8), secret: Self.random(bytes: 32), rootFingerprint: rootFingerprint.lowercased())
        try StateFile.makeDirectory(directory)
        try StateFile.write(
            Kept(
                node: node, secretSHA256: Self.hash(token.secret), createdAt: now, expiresAt: now + lifetimeInSeconds),
            to: path(token.id))
        return token.text
    }

    /// Every token that is kept, the newest first; those that expired are among them for a day.
    /// - Throws: `fileUnusable` if the directory cannot be read.
    package func list() throws(AuthorityError) -> [Entry] {
        try StateFile.names(in: directory, suffix: ".json")
            .filter { JoinToken.isHexadecimal($0, digits: 16) }
            .compactMap { id in
                guard let kept: Kept = try? StateFile.read(path(id)) else { return nil }
                let use: Use? = try? StateFile.read(usePath(id))
                return Entry(
                    id: id, node: kept.node, createdAt: kept.createdAt, expiresAt: kept.expiresAt, usedAt: use?.usedAt)
            }
            .sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    /// From now on the token lets nobody in.
    /// - Returns: false if there was none.
    /// - Throws: `fileUnusable`.
    @discardableResult package func delete(id: String) throws(AuthorityError) -> Bool {
        guard JoinToken.isHexadecimal(id, digits: 16) else { return false }
        // The token first: without it the note of its use means nothing.
        let existed = try StateFile.remove(path(id))
        _ = try StateFile.remove(usePath(id))
        return existed
    }

    /// Removes what expired more than a day ago; what cannot be removed stays, expired.
    package func sweep(now: Int64) {
        for entry in (try? list()) ?? [] where entry.expiresAt < now - Self.keptAfterExpiryInSeconds {
            _ = try? delete(id: entry.id)
        }
    }

    // MARK: For the controller

    /// Lets the node with this key in, once. The same key may ask again while the token is valid: its answer may have
    /// been lost.
    /// - Parameters:
    ///   - token: as the node sent it.
    ///   - node: the name that the node says it has.
    ///   - publicKeyHash: SHA-256 of the node's public key, which it has proved to hold.
    ///   - now: seconds since 1970.
    /// - Throws: `tokenUnknown`, `tokenExpired`, `tokenForOtherNode`, `tokenUsed` or `fileUnusable`; each message says
    ///   what to do. Who does not know the secret learns nothing but `tokenUnknown`.
    package func redeem(
        token text: String, node: String, publicKeyHash: [UInt8], now: Int64
    ) throws(AuthorityError) {
        let token = try JoinToken(parsing: text)
        guard let kept: Kept = try StateFile.readIfPresent(path(token.id)),
            Self.isEqualInConstantTime(Self.hash(token.secret), kept.secretSHA256)
        else {
            throw AuthorityError(
                .tokenUnknown,
                "no such join token here: it was deleted, has expired long ago or is of another mesh; make one with"
                    + " 'meshnode token create' on the controller")
        }
        guard now <= kept.expiresAt else {
            throw AuthorityError(
                .tokenExpired,
                "the join token \(token.id) expired \(now - kept.expiresAt) s ago; make another with"
                    + " 'meshnode token create --node \(kept.node)' on the controller")
        }
        guard node == kept.node else {
            throw AuthorityError(
                .tokenForOtherNode,
                "the join token \(token.id) is for the node '\(kept.node)', not for '\(node.prefix(300))'; make one for"
                    + " this node, or name the node with --node")
        }
        try bind(token.id, to: publicKeyHash.hexadecimal, now: now)
    }

    private func bind(_ id: String, to key: String, now: Int64) throws(AuthorityError) {
        if try StateFile.create(Use(publicKeySHA256: key, usedAt: now), at: usePath(id)) { return }
        let use: Use = try StateFile.read(usePath(id))
        guard Self.isEqualInConstantTime(use.publicKeySHA256, key) else {
            throw AuthorityError(
                .tokenUsed,
                "the join token \(id) was used already, with another key: a token lets one node in once; make another"
                    + " with 'meshnode token create', and if you do not know who used it, revoke that certificate")
        }
    }

    // MARK: Names and numbers

    private func path(_ id: String) -> String { "\(directory)/\(id).json" }

    private func usePath(_ id: String) -> String { "\(directory)/\(id).used.json" }

    private static func random(bytes count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.hexadecimal
    }

    private static func hash(_ secret: String) -> String { SHA256.hash(data: Array(secret.utf8)).hexadecimal }

    /// How long it takes does not tell how much is equal.
    private static func isEqualInConstantTime(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
