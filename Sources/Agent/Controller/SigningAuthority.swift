package import CertificateAuthority
internal import ControlPlane
internal import Kernel
internal import Mesh
internal import Resources
internal import XDS

/// The controller's certificate authority with its rules: only identities that have a pod on the caller's node are
/// signed for it, and only those nodes are let in that bring a token.
final class SigningAuthority {
    /// The authority itself; may be used from any thread.
    let running: RunningAuthority
    /// Which identities have a pod on which node.
    var identities = IdentitiesByNode()
    private let lifetimeInSeconds: Int64
    private let nodeLifetimeInSeconds: Int64

    /// Throws if the files cannot be used; the message names the file and says what to do.
    init(_ settings: ControllerSettings) throws {
        guard let trustDomain = TrustDomain(settings.trustDomain) else {
            throw AgentError(.badConfiguration, "'\(settings.trustDomain)' is not a trust domain")
        }
        lifetimeInSeconds = settings.source.certificateLifetimeSeconds
        nodeLifetimeInSeconds = settings.source.nodeCertificateLifetimeSeconds
        running = try RunningAuthority(
            RunningAuthority.Source(settings.source.authority), trustDomain: trustDomain,
            now: WallClock.secondsSince1970)
    }

    /// What a look at the files found. Cheap: called once a second.
    func refresh() -> RunningAuthority.Refreshment { running.refresh(now: WallClock.secondsSince1970) }

    /// - Parameter node: where the caller is, by its own certificate.
    func answer(_ request: CertificateRequest, node: String) -> CertificateResponse {
        do throws(AuthorityError) {
            try identities.policy(of: node).authorize(request.identity)
            let lifetime = request.lifetimeInSeconds
            let issued = try running.sign(
                requestPEM: request.signingRequestPEM, identity: request.identity,
                lifetimeInSeconds: lifetime > 0 ? min(lifetime, lifetimeInSeconds) : lifetimeInSeconds,
                now: WallClock.secondsSince1970)
            return CertificateResponse(id: request.id, outcome: .issued(chainPEM: issued.chainPEM))
        } catch {
            return CertificateResponse(id: request.id, outcome: .refused(error.description))
        }
    }

    /// Lets a node in that brings a good token.
    func join(_ request: NodeJoinRequest) -> NodeCertificateOutcome {
        do throws(AuthorityError) {
            try running.tokens.redeem(
                token: request.token, node: request.node,
                publicKeyHash: try CertificateIssuer.publicKeyHash(requestPEM: request.signingRequestPEM),
                now: WallClock.secondsSince1970)
        } catch {
            return .refused(error.description)
        }
        return signNode(request.node, request.signingRequestPEM)
    }

    /// The next certificate of a node that has proved which it is.
    func signNode(_ node: String, _ requestPEM: String) -> NodeCertificateOutcome {
        do throws(AuthorityError) {
            let issued = try running.signNode(
                requestPEM: requestPEM, node: node, lifetimeInSeconds: nodeLifetimeInSeconds,
                now: WallClock.secondsSince1970)
            return .issued(
                chainPEM: Array(issued.chainPEM.dropLast()), trustBundlePEM: issued.chainPEM.last ?? "")
        } catch {
            return .refused(error.description)
        }
    }

    /// For the report.
    var certificates: [ControllerReport.AuthorityCertificate] {
        let status = running.status
        return status.roots.map { .init($0, role: .root) } + [.init(status.issuer, role: .issuer)]
    }
}

extension RunningAuthority.Source {
    /// The authority that an operator named.
    package init(_ location: AuthorityLocation) {
        guard let files = location.files else {
            self = .directory(location.directory)
            return
        }
        let paths = AuthorityPaths(
            certificate: files.certificate, key: files.key, chain: files.chain, roots: files.root)
        self = .files(paths, state: location.directory)
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
            severity: problem.severity == .error ? .error : .warning, object: problem.object ?? "",
            topic: Topic(problem.topic))
    }
}

extension ControllerReport.Problem.Topic {
    fileprivate init(_ topic: Resources.ManifestProblem.Topic) {
        self =
            switch topic {
            case .other: .other
            case .unknownField: .unknownField
            case .unknownKind: .unknownKind
            case .notEnrolled: .notEnrolled
            case .overruled: .overruled
            }
    }
}
