/// An HTTP/2 error code, as in RST_STREAM and GOAWAY (RFC 9113 section 7). Unknown codes are kept.
package struct ResetCode: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let noError = ResetCode(rawValue: 0)
    package static let protocolError = ResetCode(rawValue: 1)
    package static let internalError = ResetCode(rawValue: 2)
    package static let flowControlError = ResetCode(rawValue: 3)
    /// The stream was not processed at all, so its request may be sent again elsewhere.
    package static let refusedStream = ResetCode(rawValue: 7)
    package static let cancel = ResetCode(rawValue: 8)
    /// The TCP connection behind a CONNECT was reset (RFC 9113 section 8.5).
    package static let connectError = ResetCode(rawValue: 10)
    package static let enhanceYourCalm = ResetCode(rawValue: 11)

    package var description: String {
        switch rawValue {
        case 0: "NO_ERROR"
        case 1: "PROTOCOL_ERROR"
        case 2: "INTERNAL_ERROR"
        case 3: "FLOW_CONTROL_ERROR"
        case 4: "SETTINGS_TIMEOUT"
        case 5: "STREAM_CLOSED"
        case 6: "FRAME_SIZE_ERROR"
        case 7: "REFUSED_STREAM"
        case 8: "CANCEL"
        case 9: "COMPRESSION_ERROR"
        case 10: "CONNECT_ERROR"
        case 11: "ENHANCE_YOUR_CALM"
        case 12: "INADEQUATE_SECURITY"
        case 13: "HTTP_1_1_REQUIRED"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}
