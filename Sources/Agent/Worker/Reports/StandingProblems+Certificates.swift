internal import Identity
internal import Mesh
internal import XDS

extension StandingProblems {
    /// An issuer that lives shorter than this, in seconds, is to be renewed: 30 days.
    private static let issuerNotice: Int64 = 30 * 86_400

    var authorityProblems: [Problem] {
        authority.compactMap { item in
            let name = item.role == .root ? "root \(item.subject)" : "issuer \(item.subject)"
            if now > item.notAfter {
                return Problem(
                    code: .certificateExpired, severity: .error, object: name, cause: "the certificate has expired",
                    effect: "no certificate is signed; connections fail as those in use expire",
                    tryCommand: "meshnode certificates")
            }
            guard item.role == .issuer, item.notAfter - now < Self.issuerNotice else { return nil }
            return Problem(
                code: .issuerExpiresSoon, severity: .warning, object: name,
                cause: "the certificate expires in \((item.notAfter - now) / 86_400) days",
                effect: "no certificate that it signs outlives it", tryCommand: "meshnode certificates")
        }
    }

    var certificateProblems: [Problem] {
        certificates.compactMap { status in
            let error = status.lastError
            switch status.state {
            case .unavailable where expired.contains(status.identity):
                return problem(
                    .certificateExpired, .error, status,
                    cause: "the certificate has expired" + (error.map { " and cannot be renewed: \($0)" } ?? ""),
                    effect: "connections of its pods are refused")
            case .unavailable:
                // Without an error it was only just asked for.
                return error.map {
                    problem(
                        .certificateUnavailable, .error, status, cause: $0,
                        effect: "connections of its pods are refused")
                }
            case .valid, .renewing:
                return error.map {
                    problem(
                        .renewalFailing, .warning, status, cause: $0, effect: "none until the present one expires")
                }
            }
        }
    }

    private func problem(
        _ code: ProblemCode, _ severity: Problem.Severity, _ status: CertificateStatus, cause: String, effect: String
    ) -> Problem {
        Problem(
            code: code, severity: severity, object: status.identity.description, cause: cause, effect: effect,
            tryCommand: "meshnode certificates")
    }
}
