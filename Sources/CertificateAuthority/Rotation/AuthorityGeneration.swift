import FoundationEssentials
import SwiftASN1
import X509

/// All files of one generation of an own authority, as a value.
struct AuthorityGeneration {
    /// The root that signs issuers.
    var root: KeyedCertificate
    /// What signs workloads; signed by `root`.
    var issuer: KeyedCertificate
    /// During a change of root the root that does not sign, and the change.
    var change: (other: KeyedCertificate, rotation: RootRotation)?

    /// Reads the generation in `directory`.
    /// - Throws: `fileUnusable`, `permissionsTooOpen` or `invalidAuthority`, naming the file.
    init(reading directory: String) throws(AuthorityError) {
        root = try Self.pair(directory, "root")
        issuer = try Self.pair(directory, "ca")
        if let rotation = try Self.rotation(in: directory) {
            change = (try Self.pair(directory, "other-root"), rotation)
        }
    }

    init(
        root: KeyedCertificate, issuer: KeyedCertificate, change: (other: KeyedCertificate, rotation: RootRotation)?
    ) {
        self.root = root
        self.issuer = issuer
        self.change = change
    }

    /// The change of root that is under way in `directory`; nil if there is none.
    static func rotation(in directory: String) throws(AuthorityError) -> RootRotation? {
        try StateFile.readIfPresent("\(directory)/rotation.json")
    }

    /// Writes every file into `directory`, which exists and is closed to others.
    func write(to directory: String) throws {
        let trusted = [root.certificate] + (change.map { [$0.other.certificate] } ?? [])
        try Self.put(try trusted.mapTyped(Encoding.pem).joined(), "\(directory)/root-cert.pem")
        try Self.putKey(root.key, "\(directory)/root-key.pem")
        try Self.put(try Encoding.pem(issuer.certificate), "\(directory)/ca-cert.pem")
        try Self.putKey(issuer.key, "\(directory)/ca-key.pem")
        try Self.put(try Encoding.pem(issuer.certificate), "\(directory)/cert-chain.pem")
        guard let change else { return }
        try Self.put(try Encoding.pem(change.other.certificate), "\(directory)/other-root-cert.pem")
        try Self.putKey(change.other.key, "\(directory)/other-root-key.pem")
        try StateFile.write(change.rotation, to: "\(directory)/rotation.json")
    }

    private static func pair(_ directory: String, _ name: String) throws(AuthorityError) -> KeyedCertificate {
        let path = "\(directory)/\(name)-cert.pem"
        // The root that signs comes first.
        guard let certificate = try AuthorityFile.certificates(path).first else {
            throw AuthorityError(.invalidAuthority, "\(path) holds no certificate")
        }
        let key = try AuthorityFile.privateKey("\(directory)/\(name)-key.pem")
        guard key.publicKey == certificate.publicKey else {
            throw AuthorityError(.invalidAuthority, "\(directory)/\(name)-key.pem is not the key of \(path)")
        }
        return KeyedCertificate(certificate: certificate, key: key)
    }

    private static func putKey(_ key: Certificate.PrivateKey, _ path: String) throws {
        try put(try key.serializeAsPEM().pemString + "\n", path)
    }

    private static func put(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
