import FoundationEssentials

/// The serial numbers of certificates that are taken back, one file each in the authority's directory.
///
/// ```
/// DIRECTORY/revoked/          0700
///   SERIAL.json               0600  when, and until when it counts
/// ```
package struct RevocationList: Sendable {
    /// One certificate that is taken back.
    package struct Entry: Hashable, Sendable, Codable {
        /// Canonical: see `canonicalSerial`.
        package var serial: String
        /// When it was taken back, in seconds since 1970.
        package var revokedAt: Int64
        /// The last second in which the certificate could have been valid, since 1970.
        package var neededUntil: Int64
    }

    private let directory: String

    /// - Parameter directory: the authority's directory.
    package init(directory: String) { self.directory = "\(directory)/revoked" }

    /// Takes the certificate back. Does nothing if it is already.
    /// - Parameters:
    ///   - serial: hexadecimal, as the reports show it or as openssl prints it (`0A:1B`).
    ///   - now: seconds since 1970.
    /// - Returns: the entry.
    /// - Throws: `invalidRequest` if `serial` is no serial number, `fileUnusable`.
    @discardableResult package func revoke(serial: String, now: Int64) throws(AuthorityError) -> Entry {
        guard let serial = Self.canonicalSerial(serial) else {
            throw AuthorityError(
                .invalidRequest,
                "'\(serial.prefix(100))' is no serial number: up to 40 hexadecimal digits, as 'meshnode certificates'"
                    + " shows them")
        }
        try StateFile.makeDirectory(directory)
        // Nothing that is signed here outlives this.
        let entry = Entry(
            serial: serial, revokedAt: now, neededUntil: now + CertificateIssuer.longestLifetimeInSeconds)
        guard try !StateFile.create(entry, at: path(serial)) else { return entry }
        return try StateFile.read(path(serial))
    }

    /// Everything that is taken back, sorted by serial; what has expired is left out and removed.
    /// - Throws: `fileUnusable` if the directory cannot be read.
    package func entries(now: Int64) throws(AuthorityError) -> [Entry] {
        var entries: [Entry] = []
        for serial in try StateFile.names(in: directory, suffix: ".json").sorted() {
            guard Self.canonicalSerial(serial) == serial else { continue }
            // A file that cannot be read counts: to forget a certificate that was taken back would be worse.
            let entry =
                (try? StateFile.read(path(serial)) as Entry)
                ?? Entry(serial: serial, revokedAt: now, neededUntil: .max)
            if entry.neededUntil < now {
                _ = try? StateFile.remove(path(serial))
            } else {
                entries.append(entry)
            }
        }
        return entries
    }

    /// The serial numbers of `entries`.
    package func serials(now: Int64) throws(AuthorityError) -> [String] { try entries(now: now).map(\.serial) }

    private func path(_ serial: String) -> String { "\(directory)/\(serial).json" }

    /// A serial number as it is compared: lower-case hexadecimal without separators and without leading zeros. Nil if
    /// `text` is none; at most 20 bytes (RFC 5280 section 4.1.2.2).
    package static func canonicalSerial(_ text: String) -> String? {
        let digits = text.lowercased().filter { $0 != ":" }.drop { $0 == "0" }
        guard (1...40).contains(digits.utf8.count), digits.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
            return nil
        }
        return String(digits)
    }
}
