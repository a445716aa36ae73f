/// What lets one node into the mesh once: `meshnode-join-1.<id>.<secret>.<root>`.
///
/// The secret proves to the controller that the node was invited; the root's fingerprint proves to the node that it
/// talks to the controller that invited it, before it trusts anybody.
package struct JoinToken: Hashable, Sendable {
    /// Names the token in lists and files; 16 lower-case hexadecimal digits.
    package let id: String
    /// 64 lower-case hexadecimal digits: 256 random bits.
    package let secret: String
    /// SHA-256 of the DER of the mesh's root, 64 lower-case hexadecimal digits.
    package let rootFingerprint: String

    private static let version = "meshnode-join-1"

    init(id: String, secret: String, rootFingerprint: String) {
        self.id = id
        self.secret = secret
        self.rootFingerprint = rootFingerprint
    }

    /// Reads the text form; white space around it, as files have, is left out.
    /// - Throws: `tokenUnknown` for anything else. The text is not in the message: it may be a secret.
    package init(parsing text: String) throws(AuthorityError) {
        let parts = text.prefix(512).split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == Self.version, Self.isHexadecimal(parts[1], digits: 16),
            Self.isHexadecimal(parts[2], digits: 64), Self.isHexadecimal(parts[3], digits: 64)
        else {
            throw AuthorityError(
                .tokenUnknown,
                "this is no join token: it has the form \(Self.version).ID.SECRET.ROOT; copy all of what"
                    + " 'meshnode token create' printed")
        }
        self.init(id: parts[1], secret: parts[2], rootFingerprint: parts[3])
    }

    /// The whole token: a secret.
    package var text: String { "\(Self.version).\(id).\(secret).\(rootFingerprint)" }

    static func isHexadecimal(_ text: String, digits: Int) -> Bool {
        text.utf8.count == digits
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }
}
