import Kernel
import Mesh
import TLS
import Testing
import XDS

@testable import Agent

@Suite struct `The controller's authority` {
    private let directory: TemporaryDirectory
    private let authority: SigningAuthority

    init() throws {
        directory = try TemporaryDirectory()
        authority = try SigningAuthority(Samples.settings(authority: .init(directory: directory.path)))
        authority.identities = IdentitiesByNode(["node-a": [Samples.web], "node-b": [Samples.api]])
    }

    private func request(_ identity: SPIFFEID, key: PrivateKey) throws -> CertificateRequest {
        let der = try makeCSR(key: key, uriSAN: identity.description)
        return CertificateRequest(
            id: 5, signingRequestPEM: try PEM.encode(label: "CERTIFICATE REQUEST", der: der), identity: identity)
    }

    @Test func `signs an identity that has a pod on this node, and sends the root along`() throws {
        let key = try PrivateKey.generate()
        let response = authority.answer(try request(Samples.web, key: key), node: "node-a")
        #expect(response.id == 5)
        guard case .issued(let chain) = response.outcome else {
            Issue.record("refused: \(response.outcome)")
            return
        }
        try #require(chain.count >= 2)
        let leaf = try #require(Certificate.parsePEM(Array(chain[0].utf8)).first)
        #expect(key.matches(leaf))
        let roots = try Certificate.parsePEM(Array(chain[chain.count - 1].utf8))
        #expect(roots.map(\.serial) == authority.certificates.filter { $0.role == .root }.map(\.serial))
    }

    @Test func `refuses an identity without a pod on this node, by its name`() throws {
        let response = authority.answer(try request(Samples.api, key: PrivateKey.generate()), node: "node-a")
        guard case .refused(let reason) = response.outcome else {
            Issue.record("signed for another node")
            return
        }
        #expect(reason.contains(Samples.api.description))
    }

    @Test func `refuses an identity whose last pod left`() throws {
        let asked = try request(Samples.web, key: PrivateKey.generate())
        authority.identities = IdentitiesByNode()
        guard case .refused = authority.answer(asked, node: "node-a").outcome else {
            Issue.record("signed for a pod that is gone")
            return
        }
    }

    @Test(arguments: ["", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"])
    func `refuses what is no request`(pem: String) {
        let asked = CertificateRequest(id: 6, signingRequestPEM: pem, identity: Samples.web)
        guard case .refused = authority.answer(asked, node: "node-a").outcome else {
            Issue.record("signed nonsense")
            return
        }
    }

    @Test func `is the same after a restart`() throws {
        let again = try SigningAuthority(Samples.settings(authority: .init(directory: directory.path)))
        #expect(again.certificates == authority.certificates)
        #expect(authority.refresh() == .unchanged)
        #expect(again.certificates == authority.certificates)
    }

    @Test func `does not start for what is no trust domain`() {
        var settings = Samples.settings(authority: .init(directory: directory.path))
        settings.trustDomain = "Not A Domain"
        #expect(throws: AgentError.self) { try SigningAuthority(settings) }
    }
}
