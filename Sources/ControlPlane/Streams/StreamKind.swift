internal import XDS

/// The two streams that a node has with the mesh's controller.
package enum StreamKind: Hashable, Sendable {
    /// Delta discovery, as any agent speaks it.
    case discovery
    /// What nodes and controller say to each other besides.
    case session

    /// The message as this stream has it.
    /// - Throws: `notRepresentable` if it does not belong on this stream or cannot be encoded, `frameTooLong`.
    func encoded(_ message: ChannelMessage, limit: Int) throws(XDSError) -> EncodedMessage {
        switch (self, message) {
        case (.discovery, .discoveryRequest(let request)): try EncodedMessage(request, limit: limit)
        case (.discovery, .discoveryResponse(let response)): try EncodedMessage(response, limit: limit)
        case (.session, .controllerReport), (.session, .nodeReport), (.session, .meshReportRequest),
            (.session, .meshReport), (.session, .podWishes), (.session, .podQuestion), (.session, .podVerdict):
            try EncodedMessage(try message.envelope, limit: limit)
        default: throw XDSError(.notRepresentable, "a message was given to a stream that has no such messages")
        }
    }
}

extension ChannelMessage {
    /// Whether a node may say this to the mesh's controller in its session.
    var isSaidByNodes: Bool {
        switch self {
        case .nodeReport, .meshReportRequest, .podQuestion: true
        case .discoveryRequest, .discoveryResponse, .certificateRequest, .certificateResponse, .controllerReport,
            .meshReport, .podWishes, .podVerdict:
            false
        }
    }

    /// Whether the mesh's controller may say this to a node in its session.
    var isSaidByControllers: Bool {
        switch self {
        case .controllerReport, .meshReport, .podWishes, .podVerdict: true
        case .discoveryRequest, .discoveryResponse, .certificateRequest, .certificateResponse, .nodeReport,
            .meshReportRequest, .podQuestion:
            false
        }
    }
}
