/// What went wrong in a TLS connection or in a certificate, with words for the log.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of failures; its raw value is safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The first bytes are not a TLS record: the peer speaks plaintext or another protocol.
        case notTLS = "not_tls"
        /// The peer does not offer TLS 1.3.
        case versionTooLow = "version_too_low"
        /// No cipher suite, group or signature algorithm in common.
        case noCommonParameters = "no_common_parameters"
        /// The peer does not negotiate `h2`.
        case noALPN = "no_alpn"
        /// The peer presented no certificate.
        case noPeerCertificate = "no_peer_certificate"
        /// The `PeerVerifier` refused the peer; the verifier knows why.
        case peerRefused = "peer_refused"
        /// A record that does not authenticate.
        case badRecord = "bad_record"
        /// The peer sent a fatal alert; its number is in `alert`.
        case peerAlert = "peer_alert"
        /// The peer broke the protocol in another way.
        case protocolViolation = "protocol_violation"
        /// The peer makes this side answer more than it may before its answers are taken.
        case outputOverflow = "output_overflow"
        /// A certificate that cannot be read.
        case badCertificate = "bad_certificate"
        /// A private key that cannot be read or does not fit.
        case badKey = "bad_key"
        /// A call that the state of the connection does not allow: an error of this program.
        case wrongState = "wrong_state"
        /// OpenSSL could not do what it should: no memory, or a broken installation.
        case library
    }

    package let code: Code
    package let message: String
    /// The TLS alert that the peer sent (RFC 8446 section 6), with `peerAlert`.
    package let alert: UInt8?

    package init(_ code: Code, _ message: String, alert: UInt8? = nil) {
        self.code = code
        self.message = message
        self.alert = alert
    }

    package var description: String { "\(code.rawValue): \(message)" }
}
