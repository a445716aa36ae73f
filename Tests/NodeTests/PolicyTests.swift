import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Policy between nodes` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web
        private let batch = TwoNodes.batch
        private let legacy = TwoNodes.legacy

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func put(_ text: String) throws {
            try mesh.manifests.put("policy.yaml", text)
        }

        private func allowWeb() throws {
            try put(Manifests.allow("ns/shop/sa/web", to: "api", in: "pay"))
            try eventually("shop/batch is refused") { try echo(from: batch) == "reset" }
        }

        private func echo(from pod: TestPod, isV6: Bool = false) throws -> String {
            try mesh.outcome(from: pod, to: mesh.address(api, v6: isV6), PodServer.echo)
        }

        @Test func `lets in who is named, refuses all others, and says by which policy`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            #expect(try echo(from: batch) == "x|eof")
            try allowWeb()
            let before = try mesh.control(api, "accepted")
            let refusal = try mesh.refusal(on: .b, "NO_ALLOW_MATCH") {
                $0["source"]["workload"].text == "batch"
            } after: { () throws in
                #expect(try echo(from: batch) == "reset")
                #expect(try mesh.outcome(from: batch, to: mesh.machine.serviceV6(10), PodServer.echo) == "reset")
                // Without an identity nobody is who is named.
                #expect(try echo(from: legacy) == "reset")
            }
            #expect(try mesh.control(api, "accepted") == before, "nothing of the denied reached the server")
            #expect(refusal["reason"].text == "NO_ALLOW_MATCH")
            #expect(refusal["policies"].items.map(\.text) == ["pay/api-callers"])
            #expect(refusal["source"]["identity"].text == "spiffe://cluster.local/ns/shop/sa/batch")
            #expect(
                try mesh.agent(.a).refusals.last { $0["source"]["workload"].text == "batch" }?["reason"].text
                    == "POLICY_DENY")
            #expect(try echo(from: web) == "x|eof")
            #expect(try echo(from: web, isV6: true) == "x|eof")
        }

        @Test func `without a rule lets nobody in, and is gone with its file`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try put(Manifests.allow(nil, to: "api", in: "pay"))
            try eventually("shop/web is refused") { try echo(from: web) == "reset" }
            mesh.manifests.remove("policy.yaml")
            try eventually("shop/web is let in") { try echo(from: web) == "x|eof" }
        }

        @Test func `that changes closes the live connection of the one now denied, and no other`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            try put(
                Manifests.allow("ns/shop/sa/web", to: "api", in: "pay")
                    .replacingOccurrences(of: "sa/web\"]", with: "sa/web\", \"cluster.local/ns/shop/sa/batch\"]"))
            let stays = try Dialogue.holding(mesh.machine, in: batch.name, to: mesh.address(api), PodServer.echo)
            let goes = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.machine.serviceV6(10), PodServer.echo)
            try mesh.refusal(on: .b, "POLICY_CHANGED") {
                $0["reason"].text == "POLICY_CHANGED" && $0["source"]["workload"].text == "web"
            } after: { () throws in
                try put(Manifests.allow("ns/shop/sa/batch", to: "api", in: "pay"))
                #expect(try goes.say("wait") == "reset")
            }
            #expect(try stays.say("ping") == "pong")
        }

        @Test func `STRICT refuses plaintext, also where an ACK goes before the SYN`() throws {
            defer { mesh.manifests.remove("policy.yaml") }
            let held = try Dialogue.holding(mesh.machine, in: legacy.name, to: mesh.address(api), PodServer.echo)
            let tunnelled = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            try put(Manifests.strict)
            try eventually("plaintext is refused") { try echo(from: legacy) == "reset" }
            #expect(try echo(from: legacy, isV6: true) == "reset")
            #expect(try held.say("wait") == "reset", "the live connection in plaintext is closed")
            #expect(try tunnelled.say("ping") == "pong")
            #expect(try echo(from: web) == "x|eof")
            try mesh.refusal(on: .b, "PLAINTEXT_REFUSED") {
                $0["reason"].text == "PLAINTEXT_REFUSED"
            } after: { () throws in
                #expect(try echo(from: legacy) == "reset")
            }

            let before = try mesh.control(api, "accepted")
            for port in 21_000..<21_003 {
                #expect(try acknowledgeThenConnect(from: port) == "reset")
            }
            #expect(try mesh.control(api, "accepted") == before)
        }

        /// A bare ACK with a TCP-MD5 option, which a listener without a key drops in silence, and then a SYN from the same
        /// port: with loose tracking the first would make an entry that goes around the redirection.
        private func acknowledgeThenConnect(from port: Int) throws -> String {
            try mesh.python(
                legacy.name,
                #"""
                source, target = "\#(mesh.address(legacy))", "\#(mesh.address(api))"
                def checksum(data):
                    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
                    while total >> 16:
                        total = (total & 0xffff) + (total >> 16)
                    return ~total & 0xffff
                options = bytes([19, 18]) + bytes(16) + bytes([1, 1])
                def segment(check):
                    words = (5 + len(options) // 4) << 12 | 0x10
                    return struct.pack("!HHIIHHHH", \#(port), 7000, 1000, 2000, words, 1024, check, 0) + options
                bare = segment(0)
                pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 6, len(bare))
                raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
                raw.sendto(segment(checksum(pseudo + bare)), (target, 0))
                try:
                    c = connect(target, 7000, source=(source, \#(port)))
                    c.sendall(b"x")
                    print(read_all(c)[1])
                except ConnectionResetError:
                    print("reset")
                """#)
        }
    }
}
