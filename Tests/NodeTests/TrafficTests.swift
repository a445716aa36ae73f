import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Traffic through the mesh` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
        }

        @Test(arguments: [false, true])
        func `reaches a service and a pod, and the server sees the client's address`(isV6: Bool) throws {
            let service = isV6 ? mesh.machine.serviceV6(10) : mesh.machine.serviceV4(10)
            for host in [service, mesh.address(api, v6: isV6)] {
                let answer = try mesh.outcome(from: web, to: host, PodServer.speaksFirst)
                #expect(answer == "hello \(mesh.address(web, v6: isV6))\nx|eof")
            }
        }

        @Test func `reaches a pod on the same node, and its checks are the same`() throws {
            for isV6 in [false, true] {
                let host = mesh.address(TwoNodes.batch, v6: isV6)
                let answer = try mesh.outcome(from: web, to: host, PodServer.speaksFirst)
                #expect(answer == "hello \(mesh.address(web, v6: isV6))\nx|eof")
            }
            try mesh.manifests.put("policy.yaml", Manifests.allow(nil, to: "batch", in: "shop"))
            defer { mesh.manifests.remove("policy.yaml") }
            try eventually("shop/web is refused at shop/batch") {
                try mesh.outcome(from: web, to: mesh.address(TwoNodes.batch), PodServer.echo) == "reset"
            }
        }

        @Test func `does not wait for the client's first byte where the server speaks first`() throws {
            let answer = try mesh.python(
                web.name,
                #"c = connect("\#(mesh.machine.serviceV4(10))", 7002); print(read_line(c).decode())"#)
            #expect(answer == "hello \(mesh.address(web))")
        }

        @Test func `of a pod to itself works: by its service, by its own address, by loopback`() throws {
            for host in [
                mesh.machine.serviceV4(20), mesh.machine.serviceV6(20), mesh.address(web),
                mesh.address(web, v6: true), "127.0.0.1", "::1",
            ] {
                #expect(try mesh.outcome(from: web, to: host, PodServer.echo) == "x|eof", "\(host)")
            }
        }

        @Test func `to a pod outside the mesh, and from it, goes as it is`() throws {
            let legacy = TwoNodes.legacy
            let out = try mesh.outcome(from: web, to: mesh.address(legacy), PodServer.speaksFirst)
            #expect(out == "hello \(mesh.address(web))\nx|eof")
            let back = try mesh.outcome(from: legacy, to: mesh.address(api), PodServer.speaksFirst)
            #expect(back == "hello \(mesh.address(legacy))\nx|eof")
        }

        // MARK: Each direction ends by itself

        @Test(arguments: [false, true])
        func `keeps the server's direction open when the client has ended its own`(isV6: Bool) throws {
            let answer = try mesh.python(
                web.name,
                #"""
                data = pattern(3000001)
                c = connect("\#(mesh.address(api, v6: isV6))", 7001)
                c.sendall(data)
                c.shutdown(socket.SHUT_WR)
                got, end = read_all(c)
                print(got.decode() == "3000001 %s \#(mesh.address(web, v6: isV6)) eof" % hashlib.sha256(data).hexdigest(), end)
                """#)
            #expect(answer == "True eof")
        }

        @Test(arguments: [false, true])
        func `keeps the client's direction open when the server has ended its own`(isV6: Bool) throws {
            let name = UUID().uuidString
            let answer = try mesh.python(
                web.name,
                #"""
                c = connect("\#(mesh.address(api, v6: isV6))", 7008)
                c.sendall(b"\#(name)\n")
                print(read_all(c))
                c.sendall(pattern(2000003))
                c.close()
                """#)
            #expect(answer == "(b'bye', 'eof')")
            #expect(try mesh.control(api, "outcome \(name)") == "eof 2000003")
        }

        // MARK: A cut connection never looks like a clean end

        @Test(arguments: [PodServer.resets, PodServer.resetsWithData], [false, true])
        func `brings the server's reset to the client`(port: Int, isV6: Bool) throws {
            for host in [mesh.address(api, v6: isV6), mesh.address(TwoNodes.batch, v6: isV6)] {
                let answer = try mesh.python(
                    web.name, #"c = connect("\#(host)", \#(port)); c.sendall(b"line\n"); print(read_all(c)[1])"#)
                #expect(answer == "reset", "\(host)")
            }
        }

        @Test(arguments: [0, 1_000_000], [false, true])
        func `brings the client's reset to the server, with data in flight too`(count: Int, isV6: Bool) throws {
            let name = UUID().uuidString
            _ = try mesh.python(
                web.name,
                #"""
                c = connect("\#(mesh.address(api, v6: isV6))", 7005)
                c.sendall(b"\#(name)\n")
                c.recv(1)
                c.sendall(pattern(\#(count)))
                reset(c)
                """#)
            #expect(try mesh.control(api, "outcome \(name)").hasPrefix("reset "))
        }

        @Test func `brings a reset to a client that reads nothing, while data waits for it`() throws {
            let answer = try mesh.python(
                web.name,
                #"""
                c = connect("\#(mesh.address(api))", 7004)
                c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.sendall(b"line\n")
                # Until the kernel knows of the reset, without a read: POLLERR.
                import select
                waiting = select.poll()
                waiting.register(c, 0)
                print(bool(waiting.poll(8000)), read_all(c)[1])
                """#)
            #expect(answer == "True reset")
        }

        @Test func `carries a client's clean end as one`() throws {
            let name = UUID().uuidString
            _ = try mesh.python(
                web.name,
                #"c = connect("\#(mesh.address(api))", 7005); c.sendall(b"\#(name)\n12345"); c.recv(1); c.close()"#)
            #expect(try mesh.control(api, "outcome \(name)") == "eof 5")
        }

        // MARK: Much of it

        @Test func `waits for a slow reader without keeping what it has not read`() throws {
            let agents = try Node.allCases.map { try mesh.agent($0) }
            let before = try agents.map { try $0.status["agent"]["worker"]["residentBytes"].number }
            let reader = try Dialogue(
                mesh.machine, in: web.name,
                #"""
                count = 160 << 20
                c = connect("\#(mesh.address(api))", 7006, 30)
                c.sendall(b"%d\n" % count)
                print("asked")
                sys.stdin.readline()
                wanted, got, size = hashlib.sha256(), hashlib.sha256(), 0
                for start in range(0, count, 1 << 20):
                    wanted.update(pattern(1 << 20, start))
                while True:
                    more = c.recv(1 << 20)
                    if not more: break
                    got.update(more); size += len(more)
                print(size == count and wanted.digest() == got.digest())
                """#)
            #expect(try reader.next() == "asked")
            var last = -1
            let stalled = try eventually("the transfer stands still") { () -> Int? in
                let address = mesh.address(api) + ":7006"
                let bytes = try agents[0].live.first { $0["destination"]["address"].text == address }?["receivedBytes"]
                defer { last = bytes?.number ?? -1 }
                return last > 0 && bytes?.number == last ? last : nil
            }
            #expect(stalled < 64 << 20)
            for (agent, former) in zip(agents, before) {
                #expect(try agent.status["agent"]["worker"]["residentBytes"].number - former < 40 << 20)
            }
            // Others are not held up by it.
            #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo) == "x|eof")
            #expect(try reader.say("go on") == "True")
        }

        @Test func `of a hundred connections at once arrives whole`() throws {
            let answer = try mesh.python(
                web.name,
                #"""
                results = []
                def one(i):
                    data = pattern(50000 + i, i)
                    try:
                        c = connect(("\#(mesh.machine.serviceV4(10))", "\#(mesh.machine.serviceV6(10))")[i % 2], 7001)
                        c.sendall(data)
                        c.shutdown(socket.SHUT_WR)
                        got = read_all(c)[0].decode().split()
                        results.append(got[:2] == [str(len(data)), hashlib.sha256(data).hexdigest()] and got[3] == "eof")
                    except Exception as problem:
                        results.append(repr(problem))
                threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
                for t in threads: t.start()
                for t in threads: t.join()
                print(len(results), set(results))
                """#)
            #expect(answer == "100 {True}")
        }

        // MARK: What cannot be reached

        @Test func `to a service without endpoints is refused, and nothing of it passes through`() throws {
            let address = mesh.machine.serviceV4(30)
            let sniffer = try Dialogue(
                mesh.machine, in: Node.a.rawValue,
                #"""
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                s.bind(("to-web", 0))
                s.setblocking(False)
                print("sniffing")
                for address in sys.stdin:
                    count = [0, 0]
                    while True:
                        try:
                            packet = s.recv(65536)
                        except BlockingIOError:
                            break
                        if packet[30:34] == socket.inet_aton(address.strip()) and packet[23] in (6, 17):
                            count[packet[23] == 17] += 1
                    print(count)
                """#)
            _ = try sniffer.next()
            try mesh.refusal(on: .a, "NO_HEALTHY_UPSTREAM") {
                $0["reason"].text == "NO_HEALTHY_UPSTREAM" && $0["detail"].text.contains("pay/empty")
            } after: { () throws in
                #expect(try mesh.outcome(from: web, to: address, 80) == "reset")
                #expect(try mesh.outcome(from: web, to: mesh.machine.serviceV6(30), 80) == "reset")
            }
            // A datagram is not captured: it shows that the sniffer sees what leaves the pod.
            _ = try mesh.python(
                web.name, #"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("\#(address)", 80))"#)
            #expect(try sniffer.say(address) == "[0, 1]")
        }

        @Test func `to a port where nobody listens is reset, and both sides say why`() throws {
            let refusal = try mesh.refusal(on: .b, "UPSTREAM_REFUSED") {
                $0["reason"].text == "UPSTREAM_REFUSED"
            } after: { () throws in
                #expect(try mesh.outcome(from: web, to: mesh.address(api), PodServer.nobody) == "reset")
            }
            #expect(refusal["destination"]["address"].text == "\(mesh.address(api)):\(PodServer.nobody)")
            let told = try mesh.agent(.a).refusals.last
            #expect(told?["reason"].text == "UPSTREAM_REFUSED", "the latest stands last")
            #expect(told?["destination"]["address"].text == "\(mesh.address(api)):\(PodServer.nobody)")
        }

        @Test func `to a port that the service does not have is refused`() throws {
            try mesh.refusal(on: .a, "NO_HEALTHY_UPSTREAM") {
                $0["reason"].text == "NO_HEALTHY_UPSTREAM" && $0["detail"].text.contains("no port 81")
            } after: { () throws in
                #expect(try mesh.outcome(from: web, to: mesh.machine.serviceV4(10), 81) == "reset")
            }
        }

        @Test(arguments: [15001, 15006, 15008, 15053])
        func `to the mesh's own ports is refused`(port: Int) throws {
            try mesh.refusal(on: .a, "SELF_CALL") {
                $0["reason"].text == "SELF_CALL"
            } after: { () throws in
                #expect(try mesh.outcome(from: web, to: mesh.address(api), port) == "reset")
            }
        }
    }
}
