package import HTTP

/// Why a tunnel session must end.
package struct TunnelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    package enum Code: Hashable, Sendable {
        /// The peer broke HTTP/2 or the connection is unusable; close it.
        case http2(HTTP2Error.Code)
        /// The peer floods us; close the connection and count `h2_abuse{kind}`.
        case abuse(AbuseKind)
        /// No stream can be opened now: the peer's limit, a drain, or the end of the session.
        case cannotOpenStream
        /// The peer did not answer PING in time.
        case peerSilent

        /// The code as a metric label.
        package var label: String {
            switch self {
            case .http2(let code): "http2_" + code.rawValue
            case .abuse(let kind): "abuse_" + kind.rawValue
            case .cannotOpenStream: "cannot_open_stream"
            case .peerSilent: "peer_silent"
            }
        }
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: HTTP2Error) {
        let code: Code =
            switch error.code {
            case .flooded: .abuse(.ping)
            case .tooManyContinuations: .abuse(.continuation)
            case .headerListTooLarge: .abuse(.headerList)
            case .badPreface, .protocolBroken, .endedByPeer, .misuse, .outOfMemory, .internal: .http2(error.code)
            }
        self.init(code, error.message)
    }

    package var description: String { "tunnel \(code.label): \(message)" }
}

/// How a peer abuses HTTP/2: the label of `h2_abuse{kind}`.
package enum AbuseKind: String, Hashable, Sendable, CaseIterable {
    case rapidReset = "rapid_reset"
    case emptyData = "empty_data"
    case ping
    case settings
    case windowUpdate = "window_update"
    case continuation
    case headerList = "header_list"
    /// PRIORITY; frames of unknown types are skipped by the library unseen, at no more cost than their bytes.
    case other
}
