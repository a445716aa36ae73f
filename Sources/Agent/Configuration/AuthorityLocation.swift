/// Whose certificates the mesh trusts, and who signs them.
package struct AuthorityLocation: Codable, Sendable, Equatable {
    /// Files of an authority that the operator brings, all in PEM.
    package struct Files: Codable, Sendable, Equatable {
        /// The issuing certificate.
        package var certificate: String
        /// Its private key.
        package var key: String
        /// The certificates between it and the root; nil if the root signed it.
        package var chain: String?
        /// The root certificates that peers are checked against.
        package var root: String

        package init(certificate: String, key: String, chain: String? = nil, root: String) {
            self.certificate = certificate
            self.key = key
            self.chain = chain
            self.root = root
        }
    }

    /// Where an own authority is kept; made on first start.
    package var directory: String
    /// The operator's own authority; nil for the one in `directory`.
    package var files: Files?

    package init(directory: String = "/var/lib/meshnode/ca", files: Files? = nil) {
        self.directory = directory
        self.files = files
    }
}
