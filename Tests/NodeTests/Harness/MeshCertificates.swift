import Foundation

/// Certificates for a hostile or broken peer, made with the `openssl` command and, mostly, the mesh's own issuing key: so
/// only one thing is wrong at a time.
struct MeshCertificates {
    /// PEM files for a client.
    struct Files {
        /// Leaf first, then its issuer.
        let chain: String
        let key: String
    }

    private let directory: String
    /// The mesh's issuer.
    private let issuer: (certificate: String, key: String)

    /// - Parameters:
    ///   - authority: the agents' CA directory.
    ///   - directory: where the files go.
    init(authority: String, directory: String) throws {
        self.directory = directory
        let generation = authority + "/authority-1"
        issuer = (generation + "/ca-cert.pem", generation + "/ca-key.pem")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let text =
            "[req]\ndistinguished_name=name\n[name]\n[root]\nbasicConstraints=critical,CA:true\n"
            + "keyUsage=critical,keyCertSign,cRLSign\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/openssl.cnf"))
    }

    /// What is in a certificate; as it stands, all is right.
    struct Content {
        var uris = ["spiffe://cluster.local/ns/outside/sa/legacy"]
        var isCA = false
        var keyUsage = "critical,digitalSignature"
        var extendedKeyUsage = "serverAuth,clientAuth"
        /// As openssl has it: `YYYYMMDDHHMMSSZ`; nil: valid now.
        var validity: (from: String, to: String)?
        /// By another authority that nobody here knows.
        var isForeign = false
    }

    /// Makes a certificate.
    func make(_ change: (inout Content) -> Void = { _ in }) throws -> Files {
        var content = Content()
        change(&content)
        let name = directory + "/" + UUID().uuidString
        let signer = content.isForeign ? try makeForeignAuthority() : issuer
        var extensions = "basicConstraints=critical,CA:\(content.isCA)\nkeyUsage=\(content.keyUsage)\n"
        extensions += "extendedKeyUsage=\(content.extendedKeyUsage)\n"
        if !content.uris.isEmpty {
            // In openssl's files # begins a comment.
            let names = content.uris.map { "URI:" + $0.replacingOccurrences(of: "#", with: "\\#") }
            extensions += "subjectAltName=critical," + names.joined(separator: ",") + "\n"
        }
        try Data(extensions.utf8).write(to: URL(fileURLWithPath: name + ".ext"))
        try Command.shell(
            """
            openssl req -new -config \(directory)/openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -keyout \(name).key -out \(name).csr -subj / 2>&1
            """)
        try sign(name, by: signer, content.validity)
        try Command.shell("cat \(name).leaf \(signer.certificate) >\(name).pem")
        return Files(chain: name + ".pem", key: name + ".key")
    }

    /// `openssl x509` has no start date, `openssl ca` has, and wants a database for it.
    private func sign(
        _ name: String, by signer: (certificate: String, key: String), _ validity: (from: String, to: String)?
    ) throws {
        guard let validity else {
            try Command.shell(
                """
                openssl x509 -req -in \(name).csr -CA \(signer.certificate) -CAkey \(signer.key) -extfile \(name).ext \
                    -days 1 -set_serial 0x\(UInt32.random(in: 1 ... .max)) -out \(name).leaf 2>&1
                """)
            return
        }
        let configuration = """
            [ca]
            default_ca = this
            [this]
            database = \(name).db
            rand_serial = yes
            new_certs_dir = \(directory)
            default_md = sha256
            policy = any
            unique_subject = no
            [any]
            commonName = optional
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: name + ".cnf"))
        try Data().write(to: URL(fileURLWithPath: name + ".db"))
        try Command.shell(
            """
            openssl ca -batch -notext -config \(name).cnf -in \(name).csr -cert \(signer.certificate) \
                -keyfile \(signer.key) -extfile \(name).ext -startdate \(validity.from) -enddate \(validity.to) \
                -out \(name).leaf 2>&1
            """)
    }

    private func makeForeignAuthority() throws -> (certificate: String, key: String) {
        let name = directory + "/foreign-" + UUID().uuidString
        try Command.shell(
            """
            openssl req -x509 -config \(directory)/openssl.cnf -extensions root -newkey ec \
                -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout \(name).key -out \(name).pem -days 2 -subj /O=foreign 2>&1
            """)
        return (name + ".pem", name + ".key")
    }
}
