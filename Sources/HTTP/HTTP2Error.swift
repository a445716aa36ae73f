/// Why an HTTP/2 session cannot go on. Every one of these ends the connection.
package struct HTTP2Error: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is; safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The peer did not begin with the HTTP/2 preface and SETTINGS (RFC 9113 section 3.4).
        case badPreface = "bad_preface"
        /// The peer sent more acknowledged control frames than are kept (RFC 9113 section 10.5).
        case flooded
        /// A header block came in more CONTINUATION frames than are accepted.
        case tooManyContinuations = "too_many_continuations"
        /// A decoded header block was over the hard limit.
        case headerListTooLarge = "header_list_too_large"
        /// The peer broke a rule of HTTP/2, and was told which by GOAWAY.
        case protocolBroken = "protocol_broken"
        /// The peer ended the session with an error.
        case endedByPeer = "ended_by_peer"
        /// Our own caller broke the calling order.
        case misuse
        /// No memory.
        case outOfMemory = "out_of_memory"
        /// The library failed in a way that it should not.
        case `internal`
    }

    package let code: Code
    package let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "HTTP/2 \(code.rawValue): \(message)" }
}
