internal import CertificateAuthority
internal import Kernel
internal import Mesh
internal import Resources
internal import XDS

/// The controller's certificate authority with its rule: only identities that have a pod on this node are signed.
final class SigningAuthority {
    private let configuration: AgentConfiguration
    private let trustDomain: TrustDomain
    private var issuer: CertificateIssuer
    /// The identities of the pods on this node.
    var identitiesOnNode: Set<SPIFFEID> = []

    /// Throws if the files cannot be used; the message names the file and says what to do.
    init(_ configuration: AgentConfiguration) throws {
        guard let trustDomain = TrustDomain(configuration.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(configuration.trustDomain)' is not a trust domain")
        }
        self.configuration = configuration
        self.trustDomain = trustDomain
        issuer = try Self.open(configuration.authority, trustDomain)
    }

    /// Reads the authority again: it may have been renewed.
    func reopen() throws {
        issuer = try Self.open(configuration.authority, trustDomain)
    }

    private static func open(
        _ authority: AgentConfiguration.Authority, _ trustDomain: TrustDomain
    ) throws(AuthorityError) -> CertificateIssuer {
        let now = WallClock.secondsSince1970
        guard let files = authority.files else {
            return try AuthorityDirectory(path: authority.directory, trustDomain: trustDomain).open(now: now)
        }
        let paths = AuthorityPaths(
            certificate: files.certificate, key: files.key, chain: files.chain, roots: files.root)
        return try CertificateIssuer(paths, trustDomain: trustDomain, now: now)
    }

    func answer(_ request: CertificateRequest) -> CertificateResponse {
        do throws(AuthorityError) {
            try SigningPolicy(identitiesOnNode: identitiesOnNode).authorize(request.identity)
            let issued = try issuer.sign(
                requestPEM: request.signingRequestPEM, identity: request.identity,
                lifetimeInSeconds: request.lifetimeInSeconds, now: WallClock.secondsSince1970)
            return CertificateResponse(id: request.id, outcome: .issued(chainPEM: issued.chainPEM))
        } catch {
            return CertificateResponse(id: request.id, outcome: .refused(error.description))
        }
    }

    /// For the report.
    var certificates: [ControllerReport.AuthorityCertificate] {
        let status = issuer.status
        return status.roots.map { .init($0, role: .root) } + [.init(status.issuer, role: .issuer)]
    }
}

extension ControllerReport.AuthorityCertificate {
    fileprivate init(_ item: CertificateAuthority.AuthorityStatus.Item, role: Role) {
        self.init(
            role: role, subject: item.subject, serial: item.serial, notBefore: item.notBefore, notAfter: item.notAfter)
    }
}

extension ControllerReport.Problem {
    init(_ problem: Resources.ManifestProblem) {
        self.init(
            file: problem.file, line: problem.line > 0 ? problem.line : nil, field: problem.field,
            reason: problem.reason,
            severity: problem.severity == .error ? .error : .warning, object: problem.object ?? "")
    }
}
