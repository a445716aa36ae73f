import FoundationEssentials
import Mesh
import SwiftProtobuf

/// The metadata field by which a node's agent names the pod's identity that it asks for.
private let impersonatedIdentity = "ImpersonatedIdentity"

extension ChannelMessage {
    /// The message as the wire has it.
    /// - Throws: `notRepresentable` if a part is longer than allowed.
    package var envelope: Meshnode_Wire_Envelope {
        get throws(XDSError) {
            var envelope = Meshnode_Wire_Envelope()
            switch self {
            case .discoveryRequest(let request): envelope.discoveryRequest = request
            case .discoveryResponse(let response): envelope.discoveryResponse = response
            case .certificateRequest(let request): envelope.certificateRequest = request.message
            case .certificateResponse(let response): envelope.certificateResponse = response.message
            case .controllerReport(let report): envelope.controllerReport = report.message
            case .nodeReport(let report): envelope.nodeReport = try report.message
            case .meshReportRequest(let id): envelope.meshReportRequest.id = id
            case .meshReport(let report): envelope.meshReport = try report.message
            case .podWishes(let wishes): envelope.podWishes = wishes.message
            case .podQuestion(let question): envelope.podQuestion = question.message
            case .podVerdict(let verdict): envelope.podVerdict = verdict.message
            }
            return envelope
        }
    }

    /// Reads what the wire has.
    /// - Throws: `malformedMessage` or `invalidResource` if it is nothing that is known.
    package init(_ envelope: Meshnode_Wire_Envelope) throws(XDSError) {
        switch envelope.content {
        case .discoveryRequest(let request): self = .discoveryRequest(request)
        case .discoveryResponse(let response): self = .discoveryResponse(response)
        case .certificateRequest(let request): self = .certificateRequest(try CertificateRequest(request))
        case .certificateResponse(let response): self = .certificateResponse(try CertificateResponse(response))
        case .controllerReport(let report): self = .controllerReport(ControllerReport(report))
        case .nodeReport(let report): self = .nodeReport(try NodeReport(report))
        case .meshReportRequest(let request): self = .meshReportRequest(id: request.id)
        case .meshReport(let report): self = .meshReport(try MeshReport(report))
        case .podWishes(let wishes): self = .podWishes(try NodeWishes(wishes))
        case .podQuestion(let question): self = .podQuestion(try PodQuestion(question))
        case .podVerdict(let verdict): self = .podVerdict(try PodVerdict(verdict))
        case nil: throw XDSError(.malformedMessage, "a frame holds no message that is known")
        }
    }
}

extension CertificateRequest {
    fileprivate var message: Meshnode_Wire_CertificateRequest {
        var message = Meshnode_Wire_CertificateRequest()
        message.id = id
        message.request = request
        return message
    }

    fileprivate init(_ message: Meshnode_Wire_CertificateRequest) throws(XDSError) {
        try self.init(message.request, id: message.id)
    }

    /// As IstioCertificateService has it, which needs no number.
    package var request: Istio_V1_Auth_IstioCertificateRequest {
        var request = Istio_V1_Auth_IstioCertificateRequest()
        request.csr = signingRequestPEM
        request.validityDuration = lifetimeInSeconds
        request.metadata.fields[impersonatedIdentity] = Google_Protobuf_Value(stringValue: identity.description)
        return request
    }

    /// Reads what IstioCertificateService has.
    /// - Throws: `malformedMessage` if it names no identity.
    package init(_ request: Istio_V1_Auth_IstioCertificateRequest, id: UInt64) throws(XDSError) {
        let uri = request.metadata.fields[impersonatedIdentity]?.stringValue ?? ""
        guard let identity = SPIFFEID(uri: uri) else {
            throw XDSError(.malformedMessage, "certificate request \(id): '\(uri.prefix(200))' is no identity")
        }
        self.init(
            id: id, signingRequestPEM: request.csr, identity: identity, lifetimeInSeconds: request.validityDuration)
    }
}

extension CertificateResponse {
    fileprivate var message: Meshnode_Wire_CertificateResponse {
        var message = Meshnode_Wire_CertificateResponse()
        message.id = id
        switch outcome {
        case .issued(let chain): message.issued.certChain = chain
        case .refused(let reason): message.refusal = reason
        }
        return message
    }

    fileprivate init(_ message: Meshnode_Wire_CertificateResponse) throws(XDSError) {
        switch message.outcome {
        case .issued(let issued): self.init(id: message.id, outcome: .issued(chainPEM: issued.certChain))
        case .refusal(let reason): self.init(id: message.id, outcome: .refused(reason))
        case nil: throw XDSError(.malformedMessage, "certificate response \(message.id) has no outcome")
        }
    }
}

extension ControllerReport {
    fileprivate var message: Meshnode_Wire_ControllerReport {
        var message = Meshnode_Wire_ControllerReport()
        message.snapshotVersion = snapshotVersion
        message.problems = problems.map(\.message)
        message.authority = authority.map(\.message)
        message.trustBundlePem = trustBundlePEM
        message.revokedSerials = revokedSerials
        message.linkTrouble = linkTrouble
        return message
    }

    fileprivate init(_ message: Meshnode_Wire_ControllerReport) {
        self.init(
            snapshotVersion: message.snapshotVersion, problems: message.problems.map(Problem.init),
            authority: message.authority.map(AuthorityCertificate.init), trustBundlePEM: message.trustBundlePem,
            revokedSerials: message.revokedSerials, linkTrouble: message.linkTrouble)
    }
}

extension ControllerReport.Problem {
    fileprivate var message: Meshnode_Wire_ManifestProblem {
        var message = Meshnode_Wire_ManifestProblem()
        message.file = file
        message.line = line.flatMap(UInt32.init(exactly:)) ?? 0
        message.field = field
        message.reason = reason
        message.severity = severity == .warning ? .warning : .error
        message.object = object
        message.topic = topic.message
        return message
    }

    fileprivate init(_ message: Meshnode_Wire_ManifestProblem) {
        self.init(
            file: message.file, line: message.line == 0 ? nil : Int(message.line), field: message.field,
            reason: message.reason, severity: message.severity == .warning ? .warning : .error, object: message.object,
            topic: Topic(message.topic))
    }
}

extension ControllerReport.Problem.Topic {
    fileprivate var message: Meshnode_Wire_ManifestProblem.Topic {
        switch self {
        case .other: .other
        case .unknownField: .unknownField
        case .unknownKind: .unknownKind
        case .notEnrolled: .notEnrolled
        case .overruled: .overruled
        }
    }

    /// One that a newer controller knows is another.
    fileprivate init(_ message: Meshnode_Wire_ManifestProblem.Topic) {
        self =
            switch message {
            case .other, .UNRECOGNIZED: .other
            case .unknownField: .unknownField
            case .unknownKind: .unknownKind
            case .notEnrolled: .notEnrolled
            case .overruled: .overruled
            }
    }
}

extension ControllerReport.AuthorityCertificate {
    fileprivate var message: Meshnode_Wire_AuthorityCertificate {
        var message = Meshnode_Wire_AuthorityCertificate()
        message.role = role == .root ? .root : .issuer
        message.subject = subject
        message.serial = serial
        message.notBefore = notBefore
        message.notAfter = notAfter
        return message
    }

    fileprivate init(_ message: Meshnode_Wire_AuthorityCertificate) {
        self.init(
            role: message.role == .root ? .root : .issuer, subject: message.subject, serial: message.serial,
            notBefore: message.notBefore, notAfter: message.notAfter)
    }
}
