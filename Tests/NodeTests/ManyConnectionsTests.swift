import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `Eight thousand connections at once` {
        let mesh: TwoNodes
        private static let count = 8000
        /// Descriptors that a process may have.
        private static let limit = 20_000
        private static let port = 7100

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        /// Answers every byte on every connection, all of them in one thread.
        private static let server = #"""
            import selectors
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("0.0.0.0", PORT))
            listener.listen(1024)
            ready = selectors.EpollSelector()
            ready.register(listener, selectors.EVENT_READ)
            ready.register(sys.stdin, selectors.EVENT_READ)
            print("listening")
            while True:
                for key, _ in ready.select():
                    if key.fileobj is sys.stdin:
                        sys.exit()
                    if key.fileobj is listener:
                        c, _ = listener.accept()
                        ready.register(c, selectors.EVENT_READ)
                        continue
                    try:
                        data = key.fileobj.recv(4096)
                    except OSError:
                        data = b""
                    if data:
                        key.fileobj.sendall(data)
                    else:
                        ready.unregister(key.fileobj)
                        key.fileobj.close()
            """#

        /// Opens all, a hundred under way at a time; then does what it is told. Answers how many connections answered.
        private static let client = #"""
            held = []
            def ask(some, token):
                for c in some:
                    c.sendall(token)
                return sum(c.recv(4) == token for c in some)
            for order in sys.stdin:
                try:
                    if order.strip() == "open":
                        answered = 0
                        while len(held) < COUNT:
                            some = [connect("HOST", PORT, 30) for _ in range(100)]
                            answered += ask(some, b"open")
                            held += some
                        print(answered)
                    elif order.strip() == "ask":
                        print(ask(held, os.urandom(4)))
                    else:
                        for c in held:
                            c.close()
                        print(len(held))
                except Exception as problem:
                    print("broken: %r with %d open" % (problem, len(held)))
            """#

        private func filled(_ script: String) -> String {
            script.replacingOccurrences(of: "COUNT", with: "\(Self.count)")
                .replacingOccurrences(of: "PORT", with: "\(Self.port)")
                .replacingOccurrences(of: "HOST", with: mesh.address(TwoNodes.api))
        }

        private func descriptors(_ node: Node) throws -> Int {
            let worker = try mesh.agent(node).child("worker")
            return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/fd").count
        }

        /// How many connections each loop of the node's worker has; the loop is the first byte of a connection's number.
        private func countsByLoop(_ node: Node) throws -> [UInt64: Int] {
            let port = ":\(Self.port)"
            let loops = try mesh.agent(node).live.filter { $0["destination"]["address"].text.hasSuffix(port) }
                .compactMap { UInt64($0["id"].text).map { $0 >> 56 } }
            return Dictionary(grouping: loops) { $0 }.mapValues(\.count)
        }

        @Test func `are carried by one worker on each node, spread over its loops, and leave nothing behind`() throws {
            let before = try Node.allCases.map(descriptors)
            let workers = try Node.allCases.map { try mesh.agent($0).child("worker") }
            let server = try Dialogue(mesh.machine, in: TwoNodes.api.name, filled(Self.server), seconds: 300)
            #expect(try server.next() == "listening")
            let client = try Dialogue(mesh.machine, in: TwoNodes.web.name, filled(Self.client), seconds: 300)
            #expect(try client.say("open") == "\(Self.count)")
            #expect(try client.say("ask") == "\(Self.count)")
            for node in Node.allCases {
                #expect(try descriptors(node) < Self.limit)
                let counts = try countsByLoop(node)
                #expect(counts.values.reduce(0, +) == Self.count)
                #expect(try counts.count == mesh.agent(node).status["agent"]["loops"].number)
                // Outbound to a connection, inbound by whole tunnels of a hundred.
                let (least, most) = (counts.values.min() ?? 0, counts.values.max() ?? 0)
                #expect(most - least <= Self.count / 8, "\(counts) on node \(node)")
            }
            #expect(try client.say("close") == "\(Self.count)")
            try eventually("all of them end", within: 30) {
                try Node.allCases.allSatisfy { try countsByLoop($0).isEmpty }
            }
            // Sockets in stock stay open for a while: after such a crowd some 200 per loop and pod.
            let stock = 400 * (try mesh.agent(.a).status["agent"]["loops"].number)
            let after = try Node.allCases.map(descriptors)
            #expect(zip(after, before).allSatisfy { $0 <= $1 + stock }, "\(after), before \(before)")
            #expect(try Node.allCases.map { try mesh.agent($0).child("worker") } == workers, "nothing was restarted")
        }
    }
}
