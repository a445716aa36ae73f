internal import COpenSSL

/// Called by OpenSSL with the peer's chain; 1 accepts. Set with SSL_CTX_set_cert_verify_callback, so OpenSSL's own
/// path validation does not run at all.
func verifyPeerCallback(_ storeContext: OpaquePointer?, _: UnsafeMutableRawPointer?) -> Int32 {
    // What goes wrong before the verifier is asked is not a chain that anybody vouched for.
    guard let storeContext = unsafe storeContext, let ssl = unsafe meshnode_store_ctx_ssl(storeContext),
        let pointer = unsafe SSL_get_ex_data(ssl, 0)
    else { return 0 }
    // Slot 0 was set by TLSConnection.init to that connection, unretained. It is alive: callbacks run only within
    // SSL_ calls, which only its methods make, and it frees the SSL in its deinit.
    let connection = unsafe Unmanaged<TLSConnection>.fromOpaque(pointer).takeUnretainedValue()
    switch connection.verifyPeer(chain: unsafe presentedChain(storeContext)) {
    case .accepted:
        return 1
    case .refused(let alert):
        unsafe X509_STORE_CTX_set_error(storeContext, alert.verificationError)
        return 0
    }
}

/// Leaf first; empty if one of them cannot be read.
private func presentedChain(_ storeContext: OpaquePointer) -> [Certificate] {
    guard let stack = unsafe X509_STORE_CTX_get0_untrusted(storeContext) else { return [] }
    var chain: [Certificate] = []
    for index in 0..<max(0, unsafe meshnode_x509_count(stack)) {
        guard let x509 = unsafe meshnode_x509_at(stack, index),
            let certificate = try? Certificate(unsafe X509Reference(sharing: x509))
        else {
            return []
        }
        chain.append(certificate)
    }
    return chain
}

extension RefusalAlert {
    /// The X509_V_ERR_ code that ssl_x509err2alert of OpenSSL's statem_lib.c turns into this alert.
    fileprivate var verificationError: Int32 {
        switch self {
        case .badCertificate: X509_V_ERR_CERT_UNTRUSTED
        case .certificateExpired: X509_V_ERR_CERT_HAS_EXPIRED
        case .certificateRevoked: X509_V_ERR_CERT_REVOKED
        case .unknownCA: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        case .unsupportedCertificate: X509_V_ERR_INVALID_PURPOSE
        }
    }
}

/// Refuses a client that offers no ALPN at all: the selection below would not be called for it.
func clientHelloCallback(
    _ ssl: OpaquePointer?, _ alert: UnsafeMutablePointer<Int32>?, _: UnsafeMutableRawPointer?
) -> Int32 {
    var extensionBytes: UnsafePointer<UInt8>?
    var length = 0
    let type = UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation)
    guard unsafe SSL_client_hello_get0_ext(ssl, type, &extensionBytes, &length) == 1 else {
        if let pointer = unsafe SSL_get_ex_data(ssl, 0) {
            // Alive for the reason given in verifyPeerCallback.
            unsafe Unmanaged<TLSConnection>.fromOpaque(pointer).takeUnretainedValue().clientOfferedNoALPN()
        }
        unsafe alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
        return SSL_CLIENT_HELLO_ERROR
    }
    return SSL_CLIENT_HELLO_SUCCESS
}

/// Takes `h2` if the client offers it, and refuses the handshake otherwise (RFC 7301 section 3.2).
func selectALPNCallback(
    _: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenLength: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32, _: UnsafeMutableRawPointer?
) -> Int32 {
    let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredLength))
    var index = 0
    while index < list.count {
        let length = unsafe Int(list[index])
        guard index + 1 + length <= list.count else { break }
        if length == 2, unsafe list[index + 1] == UInt8(ascii: "h"), unsafe list[index + 2] == UInt8(ascii: "2") {
            unsafe chosen?.pointee = unsafe offered.map { unsafe $0 + index + 1 }
            unsafe chosenLength?.pointee = 2
            return SSL_TLSEXT_ERR_OK
        }
        index += 1 + length
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
