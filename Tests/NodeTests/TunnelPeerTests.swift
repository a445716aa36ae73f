import Foundation
import Testing

extension OnTwoNodes {
    /// A pod outside the mesh talks to port 15008 of a pod in it.
    @Suite struct `A stranger at the tunnel's port` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let legacy = TwoNodes.legacy

        /// The worker that is attacked.
        private let worker: Int32

        init() throws {
            mesh = try sharedMesh()
            worker = try mesh.agent(.b).child("worker")
        }

        /// The agent of node b goes on: the same worker, and it serves.
        private func expectAlive() throws {
            #expect(try mesh.agent(.b).child("worker") == worker)
            #expect(try mesh.outcome(from: TwoNodes.web, to: mesh.address(api), PodServer.echo) == "x|eof")
        }

        // MARK: Before there is a tunnel

        /// One thing that is wrong with a certificate, and how the refusal is told.
        struct Fault: CustomTestStringConvertible, Sendable {
            let testDescription: String
            let reason: String
            let change: @Sendable (inout MeshCertificates.Content) -> Void

            init(
                _ name: String, _ reason: String, _ change: @escaping @Sendable (inout MeshCertificates.Content) -> Void
            ) {
                testDescription = name
                self.reason = reason
                self.change = change
            }
        }

        static let faults = [
            Fault("expired", "CERT_EXPIRED") { $0.validity = ("20200101000000Z", "20200102000000Z") },
            Fault("not valid yet", "CERT_NOT_YET_VALID") { $0.validity = ("20400101000000Z", "20400102000000Z") },
            Fault("of a foreign authority", "TRUST_DOMAIN_MISMATCH") { $0.isForeign = true },
            Fault("of a foreign authority, expired", "CERT_EXPIRED") {
                $0.isForeign = true
                $0.validity = ("20200101000000Z", "20200102000000Z")
            },
            Fault("of another trust domain", "TRUST_DOMAIN_MISMATCH") {
                $0.uris = ["spiffe://other.mesh/ns/shop/sa/web"]
            },
            Fault("of a look-alike trust domain", "TRUST_DOMAIN_MISMATCH") {
                $0.uris = ["spiffe://cluster.local.evil/ns/shop/sa/web"]
            },
            Fault("without a URI", "SAN_MISMATCH") { $0.uris = [] },
            Fault("with two URIs", "SAN_MISMATCH") {
                $0.uris = ["spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/batch"]
            },
            Fault("with a root path", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local"] },
            Fault("with userinfo", "SAN_MISMATCH") { $0.uris = ["spiffe://a@cluster.local/ns/shop/sa/web"] },
            Fault("with a port", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local:1/ns/shop/sa/web"] },
            Fault("with a query", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local/ns/shop/sa/web?a"] },
            Fault("with a fragment", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local/ns/shop/sa/web#a"] },
            Fault("with dots in the path", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local/ns/shop/../sa/web"] },
            Fault("with an encoded path", "SAN_MISMATCH") { $0.uris = ["spiffe://cluster.local/ns/shop/sa/%77eb"] },
            Fault("of a web server", "SAN_MISMATCH") { $0.uris = ["https://cluster.local/ns/shop/sa/web"] },
            Fault("over the longest SPIFFE ID", "SAN_MISMATCH") {
                $0.uris = ["spiffe://cluster.local/ns/shop/sa/" + String(repeating: "a", count: 2048)]
            },
            Fault("that is an authority", "PEER_NOT_MTLS") { $0.isCA = true },
            Fault("that may sign certificates", "PEER_NOT_MTLS") {
                $0.keyUsage = "critical,digitalSignature,keyCertSign"
            },
            Fault("for servers only", "PEER_NOT_MTLS") { $0.extendedKeyUsage = "serverAuth" },
            Fault("for clients only", "PEER_NOT_MTLS") { $0.extendedKeyUsage = "clientAuth" },
        ]

        @Test(arguments: faults)
        func `is refused with a certificate`(fault: Fault) throws {
            let files = try mesh.certificates.make(fault.change)
            try expectRefusal(fault.reason, from: "chain=\"\(files.chain)\", key=\"\(files.key)\"")
        }

        @Test func `is refused with a certificate whose signature was changed`() throws {
            let files = try mesh.certificates.make()
            try Command.shell(
                """
                cd $(dirname \(files.chain))
                openssl x509 -in \(files.chain) -outform DER -out bent.der
                \(Command.python) - <<'END'
                data = bytearray(open("bent.der", "rb").read())
                data[-1] ^= 1
                open("bent.der", "wb").write(data)
                END
                openssl x509 -inform DER -in bent.der -out bent.pem
                """)
            let bent = URL(fileURLWithPath: files.chain).deletingLastPathComponent().path + "/bent.pem"
            try expectRefusal("TRUST_DOMAIN_MISMATCH", from: "chain=\"\(bent)\", key=\"\(files.key)\"")
        }

        @Test func `is refused without a certificate`() throws {
            try expectRefusal("PEER_NOT_MTLS", from: "chain=None")
        }

        @Test func `is refused under TLS 1.2`() throws {
            let files = try mesh.certificates.make()
            try expectRefusal(
                "PEER_NOT_MTLS",
                from: "chain=\"\(files.chain)\", key=\"\(files.key)\", maximum=ssl.TLSVersion.TLSv1_2")
        }

        @Test(arguments: [#"("http/1.1",)"#, #"("h2c", "h3")"#, "None"])
        func `is refused with another protocol in ALPN`(alpn: String) throws {
            let files = try mesh.certificates.make()
            try expectRefusal("PEER_NOT_MTLS", from: "chain=\"\(files.chain)\", key=\"\(files.key)\", alpn=\(alpn)")
        }

        /// A TLS client with these options is shown the door, and the refusal says why.
        private func expectRefusal(_ reason: String, from options: String) throws {
            for isV6 in [false, true] {
                let host = mesh.address(api, v6: isV6)
                let refusal = try mesh.refusal(on: .b, "\(reason), \(options)") {
                    $0["source"]["address"].text.contains(mesh.address(legacy, v6: isV6))
                } after: { () throws in
                    let end = try mesh.python(
                        legacy.name, Tunnels.prelude + "\nprint(how_it_ends(\"\(host)\", \(options)))")
                    #expect(["alert", "eof", "reset"].contains(end))
                }
                #expect(refusal["reason"].text == reason)
                #expect(refusal["source"]["identity"].text.isEmpty, "nothing is believed of a refused certificate")
            }
            try expectAlive()
        }

        @Test(arguments: [
            #"b"GET / HTTP/1.1\r\nhost: x\r\n\r\n""#, "bytes(1024)", "bytes(range(256)) * 64",
            #"b"\x16\x03\x01\xff\xff" + bytes(65535)"#, #"b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff""#,
            #"b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64)"#, #"hashlib.sha512(b"seed").digest() * 100"#,
        ])
        func `is refused with what is no TLS`(bytes: String) throws {
            let refusal = try mesh.refusal(on: .b, "PEER_NOT_MTLS") {
                $0["source"]["address"].text.contains(mesh.address(legacy))
            } after: { () throws in
                let end = try mesh.python(
                    legacy.name,
                    #"""
                    c = connect("\#(mesh.address(api))", 15008)
                    try:
                        c.sendall(\#(bytes))
                        print(read_all(c)[1])
                    except (ConnectionResetError, BrokenPipeError):
                        print("reset")
                    """#)
                #expect(end == "eof" || end == "reset")
            }
            #expect(refusal["reason"].text == "PEER_NOT_MTLS")
            try expectAlive()
        }

        // MARK: In a tunnel of its own

        /// One request in a tunnel with a right certificate.
        /// - Parameter pairs: as Python has them.
        private func ask(_ pairs: String, data: String = #"b"""#, ends: Bool = false, then: String = "") throws
            -> String
        {
            let files = try mesh.certificates.make()
            return try mesh.python(
                legacy.name,
                Tunnels.prelude + "\n"
                    + #"""
                    answer, c = ask("\#(mesh.address(api))", \#(pairs), "\#(files.chain)", "\#(files.key)", \#(data), \#(
                        ends ? "True" : "False"))
                    print(answer)
                    \#(then)
                    """#)
        }

        private func connect(to authority: String) -> String {
            #"[(":method", "CONNECT"), (":authority", "\#(authority)")]"#
        }

        @Test func `reaches the application with a right certificate and request, as itself`() throws {
            let answer = try ask(
                connect(to: "\(mesh.address(api)):\(PodServer.digest)"), data: #"b"12345""#, ends: true,
                then: "print(body(c).decode())")
            let hash = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
            #expect(answer == "200\n5 \(hash) \(mesh.address(legacy)) eof")
        }

        @Test func `may spell an IPv4 address as IPv6 does`() throws {
            let authority = "[::ffff:\(mesh.address(api))]:\(PodServer.digest)"
            #expect(try ask(connect(to: authority)).hasPrefix("200"))
        }

        @Test(arguments: [15001, 15006, 15008, 15053])
        func `is refused when it asks for the mesh's own port`(port: Int) throws {
            try expectAnswer("400", "SELF_CALL", to: connect(to: "\(mesh.address(api)):\(port)"))
        }

        @Test(arguments: [
            "127.0.0.1:7000", "[::1]:7000", "0.0.0.0:7000", "[::]:7000", "169.254.169.254:80", "[fe80::1]:7000",
        ])
        func `is refused when it asks for an address that is not this pod`(authority: String) throws {
            try expectAnswer("400", "DST_MISMATCH", to: connect(to: authority))
        }

        @Test func `is refused when it asks for another pod, or for this one's other family`() throws {
            try expectAnswer("400", "DST_MISMATCH", to: connect(to: mesh.address(TwoNodes.cache) + ":7000"))
            try expectAnswer("400", "DST_MISMATCH", to: connect(to: "[\(mesh.address(api, v6: true))]:7000"))
            try expectAnswer("400", "DST_MISMATCH", to: connect(to: mesh.machine.nodeV4(.b) + ":15020"))
        }

        @Test(arguments: [
            "api.pay.svc.cluster.local:80", "localhost:7000", "ADDRESS:65536", "ADDRESS:-1", "ADDRESS:", "ADDRESS",
            ":7000",
            "ADDRESS:0x1b58", "[fe80::1%25eth0]:7000", "0x7f000001:7000", "2130706433:7000", "user@ADDRESS:7000",
        ])
        func `is refused when the authority is no address and port`(authority: String) throws {
            let text = authority.replacingOccurrences(of: "ADDRESS", with: mesh.address(api))
            try expectAnswer("400", "BAD_AUTHORITY", to: connect(to: text))
        }

        @Test func `is refused when it sends GET`() throws {
            let pairs = #"[(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/")]"#
            try expectAnswer("400", "NOT_CONNECT", to: pairs)
        }

        @Test func `is told that nobody listens`() throws {
            try expectAnswer("503", "UPSTREAM_REFUSED", to: connect(to: "\(mesh.address(api)):\(PodServer.nobody)"))
        }

        @Test func `is refused by policy, and nothing it sent reaches the application`() throws {
            try mesh.settle()
            try mesh.manifests.put("policy.yaml", Manifests.allow("ns/shop/sa/web", to: "api", in: "pay"))
            defer { mesh.manifests.remove("policy.yaml") }
            let target = "\(mesh.address(api)):\(PodServer.echo)"
            try eventually("the policy is in force") { try ask(connect(to: target)) == "401" }
            let before = try mesh.control(api, "accepted")
            // Hints are for people: they decide nothing.
            let forged =
                #"[(":method", "CONNECT"), (":authority", "\#(target)"), "#
                + #"("forwarded", "for=\#(mesh.address(TwoNodes.web))"), ("baggage", "k8s.namespace.name=shop,service.name=web"), "#
                + #"("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/shop/sa/web")]"#
            for pairs in [connect(to: target), forged] {
                let refusal = try expectAnswer("401", "NO_ALLOW_MATCH", to: pairs, data: "pattern(16000)")
                #expect(refusal["policies"].items.map(\.text) == ["pay/api-callers"])
                #expect(refusal["source"]["identity"].text == "spiffe://cluster.local/ns/outside/sa/legacy")
            }
            #expect(try mesh.control(api, "accepted") == before)
            #expect(try mesh.outcome(from: TwoNodes.web, to: mesh.address(api), PodServer.echo) == "x|eof")
        }

        @Test func `cannot pass for another by a forged header`() throws {
            let target = "\(mesh.address(api)):\(PodServer.digest)"
            let forged =
                #"[(":method", "CONNECT"), (":authority", "\#(target)"), "#
                + #"("forwarded", "for=\#(mesh.address(TwoNodes.web))")]"#
            let answer = try ask(forged, data: #"b"1""#, ends: true, then: "print(body(c).decode())")
            #expect(answer.hasPrefix("200\n1 "))
            #expect(answer.hasSuffix(" \(mesh.address(legacy)) eof"))
        }

        @Test(arguments: [
            "bytes(1000)", #"frame(1, 4, 0, b"")"#, #"frame(0, 0, 99, b"x")"#, #"frame(1, 4, 1, b"\xff" * 99)"#,
            #"b"\xff" * 40000"#,
        ])
        func `is disconnected when it breaks HTTP/2`(bytes: String) throws {
            let files = try mesh.certificates.make()
            let answer = try mesh.python(
                legacy.name,
                Tunnels.prelude + "\n"
                    + #"""
                    c = tls("\#(mesh.address(api))", "\#(files.chain)", "\#(files.key)")
                    try:
                        c.sendall(PREFACE + \#(bytes))
                        for f in frames(c): pass
                        print("over")
                    except socket.timeout:
                        print("still open")
                    except OSError:
                        print("over")
                    """#)
            #expect(answer == "over")
            try expectAlive()
        }

        @discardableResult
        private func expectAnswer(
            _ status: String, _ reason: String, to pairs: String, data: String = #"b"""#
        ) throws -> JSONValue {
            let refusal = try mesh.refusal(on: .b, reason) {
                $0["source"]["address"].text.contains(mesh.address(legacy))
            } after: { () throws in
                #expect(try ask(pairs, data: data) == status, "\(pairs)")
            }
            #expect(refusal["reason"].text == reason, "\(pairs)")
            #expect(try mesh.agent(.b).child("worker") == worker)
            return refusal
        }
    }
}
