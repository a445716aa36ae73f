import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `What can be watched` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
        }

        /// GET on a port of a node's agent: status line and body.
        private func get(_ node: Node, _ port: Int, _ path: String) throws -> String {
            try mesh.python(
                node.rawValue,
                #"""
                c = connect("127.0.0.1", \#(port))
                c.sendall(b"GET \#(path) HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                print(read_all(c)[0].decode())
                """#)
        }

        /// The value of one series of a node; the first whose line has all of `parts`.
        private func metric(_ node: Node, _ name: String, _ parts: [String] = []) throws -> Double? {
            let lines = try get(node, 15_020, "/metrics").split(separator: "\n")
            return lines.first { line in line.hasPrefix(name) && parts.allSatisfy { line.contains($0) } }
                .flatMap { $0.split(separator: " ").last }.flatMap { Double($0.trimmingCharacters(in: .whitespaces)) }
        }

        @Test func `is ready when it serves`() throws {
            for node in Node.allCases {
                #expect(try get(node, 15_021, "/healthz/ready").hasPrefix("HTTP/1.1 200"))
            }
        }

        @Test func `counts connections under the names that dashboards know`() throws {
            let parts = [
                #"source_principal="spiffe://cluster.local/ns/shop/sa/web""#, #"destination_workload_namespace="pay""#,
                #"connection_security_policy="mutual_tls""#,
            ]
            #expect(try mesh.outcome(from: web, to: mesh.machine.serviceV4(10), PodServer.echo) == "x|eof")
            let name = "istio_tcp_connections_opened_total{"
            let before = try #require(try metric(.b, name, parts + [#"reporter="destination""#]))
            for _ in 0..<3 {
                #expect(try mesh.outcome(from: web, to: mesh.machine.serviceV4(10), PodServer.echo) == "x|eof")
            }
            #expect(try metric(.b, name, parts + [#"reporter="destination""#]) == before + 3)
            #expect(try metric(.a, name, [#"reporter="source""#, #"destination_service_name="api""#]) ?? 0 >= 4)
            try eventually("what is closed is not open") {
                try metric(.b, "meshnode_connections{", [#"direction="inbound""#, #"security="mutual_tls""#]) == 0
            }
        }

        @Test func `shows what is open, as both sides see it`() throws {
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.machine.serviceV4(10), PodServer.echo)
            for (node, direction) in [(Node.a, "outbound"), (.b, "inbound")] {
                let live = try #require(
                    try mesh.agent(node).live.first {
                        $0["source"]["workload"].text == "web" && $0["destination"]["workload"].text == "api"
                    })
                #expect(live["direction"].text == direction)
                #expect(live["security"].text == "mTLS")
                #expect(live["sentBytes"].number == 5)
                #expect(live["receivedBytes"].number == 5)
                #expect(live["destination"]["address"].text == "\(mesh.address(api)):\(PodServer.echo)")
            }
            #expect(try held.say("ping") == "pong")
        }

        @Test func `writes one line to the access log per connection, JSON or text`() throws {
            // Below the range that the kernel takes clients' ports from.
            let ports = (0..<3).map { 22_000 + $0 }
            // Of the length that only this test sends to that server.
            func serverLines() throws -> [String] {
                try mesh.agent(.b).accessLog.filter {
                    $0.contains("dst.addr=\(mesh.address(api)):\(PodServer.echo) ") && $0.contains("bytes_recv=11 ")
                }
            }
            let before = try serverLines().count
            for port in ports {
                _ = try mesh.python(
                    web.name,
                    #"""
                    c = connect("\#(mesh.address(api))", 7000, source=("\#(mesh.address(web))", \#(port)))
                    c.sendall(b"hello world"); c.recv(11); c.shutdown(socket.SHUT_WR); read_all(c)
                    """#)
            }
            for port in ports {
                let source = "\(mesh.address(web)):\(port)"
                let json = try lines(of: .a, with: "\"\(source)\"", direction: "outbound")
                #expect(json.count == 1)
                let line = try JSONValue(json.first ?? "{}")
                #expect(line["src.workload"].text == "web")
                #expect(line["dst.workload"].text == "api")
                #expect(line["dst.identity"].text == "spiffe://cluster.local/ns/pay/sa/api")
                #expect(line["bytes_sent"].number == 11)
                #expect(line["bytes_recv"].number == 11)
            }
            try eventually("node b logs all three, too") { try serverLines().count >= before + 3 }
            let told = try serverLines()
            #expect(told.count == before + 3)
            #expect(told.allSatisfy { $0.contains(#"dst.workload="api""#) && $0.contains(#"sa/web""#) })
            // Every line of the whole run is valid.
            for line in try mesh.agent(.a).accessLog {
                #expect(throws: Never.self, "\(line)") { try JSONValue(line) }
            }
        }

        private func lines(of node: Node, with text: String, direction: String) throws -> [String] {
            let agent = try mesh.agent(node)
            return try eventually("an access log line with \(text)") {
                let lines = agent.accessLog.filter { $0.contains(text) && $0.contains(direction) }
                return lines.isEmpty ? nil : lines
            }
        }

        @Test func `has an admin socket for root alone, and nothing of it on TCP`() throws {
            let agent = try mesh.agent(.a)
            let attributes = try FileManager.default.attributesOfItem(atPath: agent.socket)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            for port in [15_020, 15_021] {
                #expect(try get(.a, port, "/v1/status").hasPrefix("HTTP/1.1 404"))
            }
        }

        @Test func `carries nothing readable between the nodes`() throws {
            let canary = "canary-\(UUID().uuidString)"
            let sniffer = try Dialogue(
                mesh.machine, in: Node.b.rawValue,
                #"""
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                s.bind(("uplink", 0))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
                s.setblocking(False)
                print("sniffing")
                for text in sys.stdin:
                    found = packets = 0
                    while True:
                        try:
                            packet = s.recv(65536)
                        except BlockingIOError:
                            break
                        found += text.strip().encode() in packet
                        packets += struct.pack(">H", 15008) in packet[34:38] or struct.pack(">H", 15008) in packet[54:58]
                    print(found, packets > 0)
                """#)
            _ = try sniffer.next()
            #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo, canary) == canary + "|eof")
            #expect(
                try mesh.outcome(from: web, to: mesh.machine.serviceV6(10), PodServer.echo, canary) == canary + "|eof")
            #expect(try sniffer.say(canary) == "0 True")
            // From outside the mesh it is readable: the sniffer works.
            #expect(
                try mesh.outcome(from: TwoNodes.legacy, to: mesh.address(api), PodServer.echo, canary) == canary
                    + "|eof")
            #expect(try sniffer.say(canary).hasPrefix("0") == false)
        }
    }
}
