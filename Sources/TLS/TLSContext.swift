internal import COpenSSL

/// Which side of the handshake a connection plays.
package enum TLSRole: Hashable, Sendable {
    /// Accepts.
    case server
    /// Dials.
    case client
}

/// The settings that all connections of one identity share: its certificate chain, its key and the mesh's TLS profile
/// (TLS 1.3 only, ALPN `h2`, mutual authentication, no resumption).
///
/// Make one per identity, role and event loop and keep it: making it costs far more than a connection. Confined to
/// its loop. A connection keeps its context alive, so a renewed identity replaces it without cutting any.
@safe package final class TLSContext {
    package let role: TLSRole
    let handle: OpaquePointer

    /// - Parameter chain: leaf first, then the intermediates; the root need not be there.
    ///
    /// Throws `badCertificate` for an empty chain, `badKey` if `key` is not the leaf's, `library` if OpenSSL lacks
    /// what the profile needs.
    package init(role: TLSRole, chain: [Certificate], key: PrivateKey) throws(TLSError) {
        ERR_clear_error()
        guard let handle = unsafe SSL_CTX_new(role == .server ? TLS_server_method() : TLS_client_method()) else {
            throw .fromQueue(otherwise: .library, "SSL_CTX_new")
        }
        self.role = role
        unsafe self.handle = handle
        try applyProfile()
        try install(chain: chain, key: key)
    }

    deinit { unsafe SSL_CTX_free(handle) }

    private func applyProfile() throws(TLSError) {
        // 128 bits first: a third cheaper per byte than 256, and no weaker against anyone who is not a quantum
        // computer; a peer that offers only 256 gets 256.
        let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
        guard unsafe meshnode_ctx_only_tls13(handle) == 1, unsafe SSL_CTX_set_ciphersuites(handle, suites) == 1 else {
            throw .fromQueue(otherwise: .library, "this OpenSSL has no TLS 1.3 with AES-GCM")
        }
        // 112 bits of security at least, whatever the distribution's default is: no SHA-1, no RSA under 2,048 bits.
        unsafe SSL_CTX_set_security_level(handle, 2)
        unsafe meshnode_ctx_set_options(handle)
        unsafe meshnode_ctx_disable_session_cache(handle)
        unsafe SSL_CTX_set_num_tickets(handle, 0)
        // NO_AUTO_CHAIN: only the chain given is sent. Not PARTIAL_WRITE: the write BIO never blocks, and with it
        // every record would be a call of its own.
        unsafe meshnode_ctx_set_mode(
            handle,
            Int(
                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                    | SSL_MODE_AUTO_RETRY))
        // 64 KiB holds a chain of a dozen certificates and bounds what a stranger makes us keep.
        unsafe meshnode_ctx_set_max_cert_list(handle, 64 * 1024)
        unsafe SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        unsafe SSL_CTX_set_cert_verify_callback(handle, verifyPeerCallback, nil)
        try setGroups()
        try setALPN()
    }

    private func setGroups() throws(TLSError) {
        // OpenSSL 3.5 has ML-KEM, and `*` there asks for a key share of both groups, so that a peer without it costs
        // no second round trip. Earlier versions refuse that list as a whole.
        let hybrid = "*X25519MLKEM768:*X25519:P-256"
        if unsafe meshnode_ctx_set_groups(handle, hybrid) == 1 { return }
        ERR_clear_error()
        guard unsafe meshnode_ctx_set_groups(handle, "X25519:P-256") == 1 else {
            throw .fromQueue(otherwise: .library, "this OpenSSL has neither X25519 nor P-256")
        }
    }

    private func setALPN() throws(TLSError) {
        switch role {
        case .server:
            unsafe SSL_CTX_set_alpn_select_cb(handle, selectALPNCallback, nil)
            unsafe SSL_CTX_set_client_hello_cb(handle, clientHelloCallback, nil)
        case .client:
            let onlyH2: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]
            // This function alone returns 0 for success.
            guard unsafe SSL_CTX_set_alpn_protos(handle, onlyH2, UInt32(onlyH2.count)) == 0 else {
                throw .fromQueue(otherwise: .library, "setting the ALPN protocol")
            }
        }
    }

    private func install(chain: [Certificate], key: PrivateKey) throws(TLSError) {
        guard let leaf = chain.first else { throw TLSError(.badCertificate, "an empty certificate chain") }
        guard unsafe SSL_CTX_use_certificate(handle, leaf.x509.handle) == 1 else {
            throw .fromQueue(otherwise: .badCertificate, "using certificate \(leaf.serial)")
        }
        guard unsafe SSL_CTX_use_PrivateKey(handle, key.handle) == 1, unsafe SSL_CTX_check_private_key(handle) == 1
        else {
            throw .fromQueue(otherwise: .badKey, "the private key is not that of certificate \(leaf.serial)")
        }
        for intermediate in chain.dropFirst() {
            guard unsafe meshnode_ctx_add_chain_cert(handle, intermediate.x509.handle) == 1 else {
                throw .fromQueue(otherwise: .badCertificate, "using intermediate certificate \(intermediate.serial)")
            }
        }
    }
}
