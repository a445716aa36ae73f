internal import COpenSSL

extension TLSError {
    /// What OpenSSL's error queue says, with `otherwise` for what has no code of its own. Empties the queue.
    static func fromQueue(otherwise code: Code, _ doing: String) -> TLSError {
        let first = ERR_peek_error()
        ERR_clear_error()
        guard first != 0 else { return TLSError(code, doing) }
        let text = unsafe ERR_reason_error_string(first).map { unsafe String(cString: $0) } ?? "error \(first)"
        guard meshnode_err_lib(first) == ERR_LIB_SSL else { return TLSError(code, "\(doing): \(text)") }
        return make(reason: meshnode_err_reason(first), otherwise: code, doing, text)
    }

    private static func make(reason: Int32, otherwise code: Code, _ doing: String, _ text: String) -> TLSError {
        // sslerr.h: the reason of an alert that was received is its number plus SSL_AD_REASON_OFFSET.
        if reason > SSL_AD_REASON_OFFSET, let alert = UInt8(exactly: reason - SSL_AD_REASON_OFFSET) {
            return TLSError(.peerAlert, "\(doing): the peer ended it with alert \(alert) (\(text))", alert: alert)
        }
        return TLSError(Self.code(ofReason: reason) ?? code, "\(doing): \(text)")
    }

    private static func code(ofReason reason: Int32) -> Code? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_RECORD_TOO_SMALL:
            .notTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_INAPPROPRIATE_FALLBACK:
            .versionTooLow
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
            SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_CIPHERS_AVAILABLE:
            .noCommonParameters
        case SSL_R_NO_APPLICATION_PROTOCOL:
            .noALPN
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_NO_CERTIFICATES_RETURNED:
            .noPeerCertificate
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            .peerRefused
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
            .badRecord
        default:
            nil
        }
    }
}
