import Crypto
package import Mesh
import SwiftASN1
import X509

/// Who a node is: `spiffe://<trust domain>/node/<name>`. Not of the form of a workload's identity, so that a node can
/// never be taken for a workload.
package struct NodeIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The mesh that the node is of.
    package let trustDomain: TrustDomain
    /// The node's name, as `spec.nodeName` of its pods has it.
    package let name: String

    /// Nil unless `name` is a subdomain as Kubernetes names nodes by (RFC 1123): at most 253 bytes, lower-case letters,
    /// digits, `-` and `.`, each part beginning and ending with a letter or digit.
    package init?(trustDomain: TrustDomain, name: String) {
        guard Self.isSubdomain(name) else { return nil }
        self.trustDomain = trustDomain
        self.name = name
    }

    /// Reads the URI form; nil for anything else.
    package init?(uri: String) {
        let parts = uri.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "spiffe:", parts[1].isEmpty, parts[3] == "node",
            let domain = TrustDomain(parts[2])
        else { return nil }
        self.init(trustDomain: domain, name: String(parts[4]))
    }

    package var description: String { "spiffe://\(trustDomain)/node/\(name)" }

    static func isSubdomain(_ name: String) -> Bool {
        guard (1...253).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last, label.count <= 63 else { return false }
            let hyphen = UInt8(ascii: "-")
            return first != hyphen && last != hyphen
                && label.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == hyphen
                }
        }
    }
}

/// A certificate of the controller itself, with the key that was made for it.
package struct ControllerCertificate: Sendable {
    /// What is shown to peers: the leaf first, then what is between; PEM, without the roots.
    package let chainPEM: [String]
    /// The private key, PEM (PKCS #8). A secret that stays in this process.
    package let keyPEM: String
    /// Last second of its validity, since 1970.
    package let notAfter: Int64
}

extension CertificateIssuer {
    /// Lifetime of a node's certificate, in seconds, where the caller asks for none.
    package static let nodeLifetimeInSeconds: Int64 = 7 * 86400
    /// The longest lifetime that a node's certificate can be given, in seconds.
    package static let longestLifetimeInSeconds: Int64 = 30 * 86400

    /// The controller's own identity in a trust domain.
    package static func controllerIdentity(in trustDomain: TrustDomain) -> SPIFFEID {
        SPIFFEID(trustDomain: trustDomain, namespace: "meshnode-system", serviceAccount: "meshnode-controller")
    }

    /// Signs a certificate with which a node asks the controller, as `sign` does for workloads. Only for the client's
    /// end of a connection. The caller must have checked that whoever asks is that node.
    /// - Parameters:
    ///   - node: the node's name.
    ///   - lifetimeInSeconds: wanted lifetime; 0 or less for seven days, at most thirty.
    ///   - now: seconds since 1970.
    /// - Throws: `invalidRequest`, `identityRefused` for a name that no node can have, `authorityExpired`,
    ///   `signingFailed`.
    package func signNode(
        requestPEM: String, node: String, lifetimeInSeconds: Int64 = 0, now: Int64
    ) throws(AuthorityError) -> IssuedCertificate {
        guard let identity = NodeIdentity(trustDomain: trustDomain, name: node) else {
            throw AuthorityError(
                .identityRefused,
                "'\(node.prefix(300))' cannot be the name of a node: lower-case letters, digits, '-' and '.', at most 253"
            )
        }
        let publicKey = try SigningRequest.publicKey(der: try SigningRequest.der(pem: requestPEM))
        let lifetime = Self.nodeLifetime(askedFor: lifetimeInSeconds)
        let validity = try leafValidity(lifetimeInSeconds: lifetime, now: now)
        let leaf = try LeafCertificate.make(
            for: identity.description, publicKey, validity: validity, usages: [.clientAuth], issuer: self)
        return try issued(leaf, validity: validity)
    }

    static func nodeLifetime(askedFor lifetimeInSeconds: Int64) -> Int64 {
        lifetimeInSeconds > 0 ? min(lifetimeInSeconds, longestLifetimeInSeconds) : nodeLifetimeInSeconds
    }

    /// Makes a key and a certificate for the controller itself, valid a day at most: make another in half of that time
    /// and whenever the authority changes.
    /// - Throws: `authorityExpired` or `signingFailed`.
    package func makeControllerCertificate(now: Int64) throws(AuthorityError) -> ControllerCertificate {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let validity = try leafValidity(lifetimeInSeconds: Self.lifetimeInSeconds, now: now)
        let leaf = try LeafCertificate.make(
            for: Self.controllerIdentity(in: trustDomain).description, key.publicKey, validity: validity, issuer: self)
        do {
            return ControllerCertificate(
                chainPEM: try ([leaf] + intermediates).mapTyped(Encoding.pem),
                keyPEM: try key.serializeAsPEM().pemString + "\n", notAfter: validity.upperBound)
        } catch {
            throw AuthorityError(.signingFailed, "the key of the controller cannot be encoded: \(error)")
        }
    }

    /// SHA-256 of the DER of the root that signs now, 64 lower-case hexadecimal digits: what a join token names.
    /// - Throws: `signingFailed` if there is none.
    package func rootFingerprint() throws(AuthorityError) -> String {
        let signing = roots.first { root in
            let last = intermediates.last ?? certificate
            return root == last
                || (root.subject == last.issuer && root.publicKey.isValidSignature(last.signature, for: last))
        }
        guard let signing else { throw AuthorityError(.signingFailed, "the authority has no root") }
        return SHA256.hash(data: try Encoding.der(signing)).hexadecimal
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo) in a certificate signing request, which must be signed by it:
    /// what a join token is bound to.
    /// - Throws: `invalidRequest`.
    package static func publicKeyHash(requestPEM: String) throws(AuthorityError) -> [UInt8] {
        let key = try SigningRequest.publicKey(der: try SigningRequest.der(pem: requestPEM))
        guard let p256 = P256.Signing.PublicKey(key) else {
            throw AuthorityError(.invalidRequest, "the certificate signing request is not for a P-256 key")
        }
        return Array(SHA256.hash(data: p256.derRepresentation))
    }
}
