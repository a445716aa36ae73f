internal import FoundationEssentials

/// A node's credential on disk, where its agent finds it after a restart.
///
/// ```
/// DIRECTORY/           0700
///   node-key.pem       0600  made once, on the node
///   node-cert.pem      0600  the leaf first, then what is between
///   trust-bundle.pem   0600  every root that is trusted
/// ```
/// Each file is there whole or not at all. The key does not change, so a certificate always fits it.
package struct NodeCredentialFiles: Sendable {
    /// Where they are.
    package let directory: String

    package init(directory: String) {
        self.directory = directory
    }

    /// The node's key; made if there is none.
    /// - Throws: `fileUnusable`, also if others may read it; `invalidConfiguration` if it is no key.
    package func key() throws(ControlPlaneError) -> NodeKey {
        let path = path("node-key.pem")
        if FileManager.default.fileExists(atPath: path) {
            try requirePrivacy(of: path)
            return try NodeKey(pem: try read(path))
        }
        let key = NodeKey()
        try write(key.pem, to: path)
        return key
    }

    /// The credential; nil if the node has not joined yet.
    /// - Throws: `fileUnusable` or `invalidConfiguration`, naming the directory.
    package func load() throws(ControlPlaneError) -> NodeCredential? {
        guard FileManager.default.fileExists(atPath: path("node-cert.pem")) else { return nil }
        return try NodeCredential(
            key: try key(), chainPEM: [try read(path("node-cert.pem"))],
            trustBundlePEM: try read(path("trust-bundle.pem")))
    }

    /// Keeps the credential, in place of the one before.
    /// - Throws: `fileUnusable`.
    package func save(_ credential: NodeCredential) throws(ControlPlaneError) {
        // The roots first: with more roots the old certificate is still good.
        try write(credential.trustBundlePEM, to: path("trust-bundle.pem"))
        try write(credential.key.pem, to: path("node-key.pem"))
        try write(credential.chainPEM.joined(separator: "\n"), to: path("node-cert.pem"))
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func read(_ path: String) throws(ControlPlaneError) -> String {
        do {
            return String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        } catch {
            throw ControlPlaneError(.fileUnusable, "\(path) cannot be read: \(error)")
        }
    }

    private func write(_ text: String, to path: String) throws(ControlPlaneError) {
        let manager = FileManager.default
        do {
            try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
            // Closed before a key is in it, so the moment before the mode of the file is set harms nobody.
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory)
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
            try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            throw ControlPlaneError(.fileUnusable, "\(path) cannot be written: \(error)")
        }
    }

    private func requirePrivacy(of path: String) throws(ControlPlaneError) {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        // The type depends on whether all of Foundation is in the process.
        let value = attributes?[.posixPermissions]
        guard let mode = value as? Int ?? (value as? UInt).map({ Int($0) }) ?? (value as? UInt16).map({ Int($0) }),
            mode & 0o077 == 0
        else {
            throw ControlPlaneError(.fileUnusable, "other users may read the key \(path): run chmod 600 on it")
        }
    }
}
