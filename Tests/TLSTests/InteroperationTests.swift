import TLS
import Testing

@Suite(.serialized) struct `Against the openssl command` {
    private let certificate = ["-cert", Fixtures.first.issued.chainPath, "-key", Fixtures.first.issued.keyPath]

    private func accept(_ arguments: [String], says text: String = "") throws -> End {
        let end = try End(Fixtures.second.context(.server))
        let peer = try OpenSSLPeer(client: arguments, says: text)
        try peer.converse(with: end) { !text.isEmpty && end.received.count >= text.utf8.count }
        return end
    }

    private func dial(_ arguments: [String], sending text: String = "") throws -> End {
        let end = try End(Fixtures.second.context(.client))
        let peer = try OpenSSLPeer(server: certificate + arguments)
        try end.start()
        try peer.converse(with: end) { end.connection.isEstablished }
        if end.connection.isEstablished, !text.isEmpty {
            try end.send(Array(text.utf8))
            try peer.converse(with: end) { end.received.count >= text.utf8.count }
        }
        return end
    }

    @Test(arguments: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
    func `a client with a certificate and h2 is accepted`(suite: String) throws {
        let end = try accept(certificate + ["-tls1_3", "-alpn", "h2", "-ciphersuites", suite], says: "hello\n")
        #expect(end.error == nil)
        #expect(end.received == Array("hello\n".utf8))
        #expect(end.connection.peerChain == Fixtures.first.chain)
        #expect(end.connection.cipherSuite == suite)
    }

    @Test func `a client that needs a second hello for its group is accepted`() throws {
        let end = try accept(certificate + ["-tls1_3", "-alpn", "h2", "-groups", "P-384:P-256"], says: "hello\n")
        #expect(end.received == Array("hello\n".utf8))
    }

    @Test func `a client that updates its keys and wants ours updated is served`() throws {
        let end = try End(Fixtures.second.context(.server))
        let peer = try OpenSSLPeer(
            client: certificate + ["-tls1_3", "-alpn", "h2"], says: "one\n", isInteractive: true)
        try peer.converse(with: end) { end.received.count == 4 }
        for round in 1...3 {
            // s_client takes a K at the start of what it reads as: new keys for both sides.
            let before = end.deliveredCount
            try peer.type("K\n")
            try peer.converse(with: end) { end.deliveredCount > before }
            try end.send(pattern(100_000, seed: 6))
            try peer.type("two\n")
            try peer.converse(with: end) { end.received.count == 4 + round * 4 }
        }
        #expect(end.error == nil)
        #expect(end.received == Array("one\ntwo\ntwo\ntwo\n".utf8))
    }

    @Test func `a client of TLS 1.2 is refused`() throws {
        #expect(try accept(certificate + ["-tls1_2", "-alpn", "h2"]).error?.code == .versionTooLow)
    }

    @Test func `a client without ALPN or with another protocol is refused`() throws {
        #expect(try accept(certificate + ["-tls1_3"]).error?.code == .noALPN)
        #expect(try accept(certificate + ["-tls1_3", "-alpn", "http/1.1,h3"]).error?.code == .noALPN)
    }

    @Test func `a client without a certificate is refused, and nobody is asked`() throws {
        let end = try accept(["-tls1_3", "-alpn", "h2"])
        #expect(end.error?.code == .noPeerCertificate)
        #expect(end.verifier.asked.isEmpty)
    }

    @Test func `a client without a cipher or group in common is refused`() throws {
        #expect(
            try accept(certificate + ["-tls1_3", "-alpn", "h2", "-ciphersuites", "TLS_AES_128_CCM_SHA256"]).error?.code
                == .noCommonParameters)
        #expect(
            try accept(certificate + ["-tls1_3", "-alpn", "h2", "-groups", "P-384"]).error?.code == .noCommonParameters)
    }

    @Test func `a server with h2 is dialled and proves itself`() throws {
        let end = try dial(
            ["-tls1_3", "-alpn", "h2", "-Verify", "2", "-CAfile", Fixtures.authority.rootPath, "-verify_return_error"],
            sending: "abc\n")
        #expect(end.error == nil)
        #expect(end.received == Array("cba\n".utf8))
        #expect(end.connection.peerChain.first == Fixtures.first.chain.first)
    }

    @Test func `a server without ALPN is refused`() throws {
        let end = try dial(["-tls1_3"])
        #expect(end.error?.code == .noALPN)
        #expect(!end.connection.isEstablished)
    }

    @Test func `a server of TLS 1.2 is refused`() throws {
        let end = try dial(["-tls1_2", "-alpn", "h2"])
        #expect([.versionTooLow, .peerAlert].contains(end.error?.code))
        #expect(end.verifier.asked.isEmpty)
    }
}
