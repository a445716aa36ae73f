import FoundationEssentials
import SwiftASN1
import X509

/// Reads the files of an authority; every error says which file it is and what to do.
enum AuthorityFile {
    /// Longest file that is read, in bytes.
    static let maximumLength = 1 << 20

    /// The certificates in a PEM file.
    /// - Throws: `fileUnusable`, or `invalidAuthority` if it holds none or something else.
    static func certificates(_ path: String) throws(AuthorityError) -> [Certificate] {
        let text = try text(path)
        do {
            let documents = try PEMDocument.parseMultiple(pemString: text)
            let certificates = try documents.map { try Certificate(pemDocument: $0) }
            guard !certificates.isEmpty else {
                throw AuthorityError(.invalidAuthority, "\(path) holds no certificate: expected PEM")
            }
            return certificates
        } catch let error as AuthorityError {
            throw error
        } catch {
            throw AuthorityError(.invalidAuthority, "\(path) is no file of PEM certificates: \(error)")
        }
    }

    /// The private key in a PEM file.
    /// - Throws: `fileUnusable`, `permissionsTooOpen` if others may read it, or `invalidAuthority`.
    static func privateKey(_ path: String) throws(AuthorityError) -> Certificate.PrivateKey {
        let mode = try permissions(path)
        guard mode & 0o077 == 0 else {
            throw AuthorityError(
                .permissionsTooOpen,
                "\(path) is a private key that other users may use (mode \(String(mode, radix: 8))): run chmod 600 on it, or set"
                    + " defaultMode 0400 on the volume it comes from")
        }
        let text = try text(path)
        do {
            return try Certificate.PrivateKey(pemEncoded: text)
        } catch {
            // The error is left out: it might quote the key.
            throw AuthorityError(
                .invalidAuthority, "\(path) is no PEM private key without a passphrase (P-256, P-384 or RSA)")
        }
    }

    /// The permission bits of what `path` leads to.
    static func permissions(_ path: String) throws(AuthorityError) -> Int {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: target)
            // The type depends on whether all of Foundation is in the process.
            let mode = attributes[.posixPermissions]
            guard let mode = mode as? Int ?? (mode as? UInt).map({ Int($0) }) ?? (mode as? UInt16).map({ Int($0) })
            else {
                throw AuthorityError(.fileUnusable, "the permissions of \(path) cannot be read")
            }
            return mode
        } catch let error as AuthorityError {
            throw error
        } catch {
            throw unreadable(path, error)
        }
    }

    private static func text(_ path: String) throws(AuthorityError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw unreadable(path, error)
        }
        guard data.count <= maximumLength, let text = String(validating: data, as: UTF8.self) else {
            throw AuthorityError(.invalidAuthority, "\(path) is no PEM file")
        }
        return text
    }

    private static func unreadable(_ path: String, _ error: any Error) -> AuthorityError {
        let reason =
            switch (error as? CocoaError)?.code {
            case .fileReadNoSuchFile?, .fileNoSuchFile?: "it does not exist"
            case .fileReadNoPermission?: "this process may not read it"
            default: "\(error)"
            }
        return AuthorityError(.fileUnusable, "\(path) cannot be read: \(reason)")
    }
}
