import Foundation
import Testing

extension OnTwoNodes {
    /// What happens to certificates in a long life, on real agents that have a mesh of their own.
    @Suite(.serialized, IdentityMeshTrait())
    enum Identities {}
}

/// What the certificates of a mesh say about who signed them.
extension IdentityMesh {
    /// Every place where somebody shows a certificate, or keeps one to show.
    enum Holder: CaseIterable {
        case web, api, nodeA, nodeB, controller
    }

    /// The directory of the authority that signs now.
    private var generation: String {
        get throws {
            let numbers = try FileManager.default.contentsOfDirectory(atPath: authority)
                .compactMap { $0.hasPrefix("authority-") ? Int($0.dropFirst("authority-".count)) : nil }
            guard let newest = numbers.max() else { throw CommandFailed(description: "no authority yet") }
            return "\(authority)/authority-\(newest)"
        }
    }

    /// The root that signs now, PEM.
    var signingRoot: String {
        get throws {
            let text = try String(contentsOfFile: try generation + "/root-cert.pem", encoding: .utf8)
            return String(text.prefix(upTo: text.range(of: "-----END")?.lowerBound ?? text.endIndex))
        }
    }

    /// Those whose certificate the present authority has not signed.
    func holdersOfOthers() throws -> [Holder] {
        let issuer = try generation + "/ca-cert.pem"
        return try Holder.allCases.filter { holder in
            let leaf = try TemporaryFile(try certificate(of: holder))
            let command = ["openssl", "verify", "-no_check_time", "-partial_chain", "-trusted", issuer, leaf.url.path]
            return try Command.run(command).status != 0
        }
    }

    private func certificate(of holder: Holder) throws -> String {
        switch holder {
        case .web: try certificate(shownAt: machine.v4(Self.web), 15_008)
        case .api: try certificate(shownAt: machine.v4(Self.api), 15_008)
        case .controller: try certificate(shownAt: machine.nodeV4(.a), 15_012)
        case .nodeA: try String(contentsOfFile: directory + "/state-a/node-cert.pem", encoding: .utf8)
        case .nodeB: try String(contentsOfFile: directory + "/state-b/node-cert.pem", encoding: .utf8)
        }
    }

    private func certificate(shownAt host: String, _ port: Int) throws -> String {
        try python(
            Node.a.rawValue,
            #"""
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            print(ssl.DER_cert_to_PEM_cert(context.wrap_socket(connect("\#(host)", \#(port))).getpeercert(True)))
            """#)
    }
}
