internal import NIOHTTP1
internal import XDS

extension ManifestProblem {
    /// As the controller told it.
    init(_ problem: ControllerReport.Problem) {
        self.init(
            file: problem.file, line: problem.line, field: problem.field, object: problem.object,
            reason: problem.reason, severity: problem.severity == .error ? .error : .warning,
            doubt: problem.topic.code)
    }
}

extension ControllerReport.Problem.Topic {
    /// The code of a warning about it.
    fileprivate var code: ProblemCode {
        switch self {
        case .other: .manifestDoubtful
        case .unknownField: .fieldUnknown
        case .unknownKind: .kindUnknown
        case .notEnrolled: .enrolmentDoubtful
        case .overruled: .objectOverruled
        }
    }
}

extension AdminResponse {
    /// An answer of the controller's desk.
    static func json(_ answer: ControllerDesk.Answer) -> AdminResponse {
        AdminResponse(
            status: HTTPResponseStatus(statusCode: answer.status), contentType: "application/json", body: answer.body)
    }
}
