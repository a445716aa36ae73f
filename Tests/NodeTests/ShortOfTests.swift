import Foundation
import Testing

/// A machine whose kernel has no IPv6: a filter refuses every IPv6 socket of what is started through it.
enum WithoutIPv6 {
    static let wrapper = [Command.python, "-c", script]

    private static let script = #"""
        import ctypes, os, platform, struct, sys
        number = {"x86_64": 41, "aarch64": 198}[platform.machine()]  # socket(2)
        refused = 0x00050000 | 97  # SECCOMP_RET_ERRNO, EAFNOSUPPORT
        code = [
            (0x20, 0, 0, 0),  # the call's number
            (0x15, 0, 3, number),
            (0x20, 0, 0, 16),  # its first argument
            (0x15, 0, 1, 10),  # AF_INET6
            (0x06, 0, 0, refused),
            (0x06, 0, 0, 0x7fff0000),
        ]
        filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
        program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(22, 2, program, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            raise OSError(ctypes.get_errno(), "prctl")
        os.execvp(sys.argv[1], sys.argv[1:])
        """#
}

extension OnTwoNodes {
    @Suite struct `A node that is short of` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
            try mesh.settle()
        }

        private func restart(_ node: Node, wrapper: [String] = []) throws {
            kill(try mesh.agent(node).pid, SIGTERM)
            _ = try mesh.agent(node).waitForExit()
            try mesh.startAgent(node, wrapper: wrapper)
            try mesh.waitUntilReady()
        }

        @Test func `IPv6 carries IPv4 both ways, and sends nothing in plaintext`() throws {
            let probe = #"print(json.dumps([socket.socket(f, socket.SOCK_STREAM).close() for f in [socket.AF_INET6]]))"#
            let command = WithoutIPv6.wrapper + [Command.python, "-c", Python.script(probe)]
            #expect(try Command.run(command).errors.contains("Address family not supported"), "the filter filters")
            try restart(.b, wrapper: WithoutIPv6.wrapper)
            for (client, server) in [(web, api), (api, web)] {
                #expect(try mesh.outcome(from: client, to: mesh.address(server), PodServer.echo) == "x|eof")
            }
            #expect(try mesh.outcome(from: web, to: mesh.machine.serviceV4(10), PodServer.echo) == "x|eof")
            // Captured all the same: nobody takes it, and nothing of it goes past the mesh.
            for (client, server) in [(web, api), (api, web)] {
                let outcome = try mesh.outcome(from: client, to: mesh.address(server, v6: true), PodServer.echo)
                #expect(["refused", "reset"].contains(outcome), "\(outcome)")
            }
            try restart(.b)
            #expect(try mesh.outcome(from: web, to: mesh.address(api, v6: true), PodServer.echo) == "x|eof")
        }

        // MARK: Descriptors

        /// Opens connections to the echo server of a pod, then says how many answered, were ended, and did not answer.
        private func crowd(_ count: Int) throws -> Dialogue {
            try Dialogue(
                mesh.machine, in: web.name,
                """
                held = []
                for order in sys.stdin:
                    if order.strip() == "open":
                        for _ in range(\(count)):
                            held.append(connect("\(mesh.address(api))", \(PodServer.echo), 20))
                            try:
                                held[-1].sendall(b"x")
                            except OSError:
                                pass
                        print(len(held))
                    elif order.strip() == "rest":
                        time.sleep(0.5); print("rested")
                    else:
                        how = {"answered": 0, "ended": 0, "silent": 0}
                        for c in held:
                            try:
                                how["answered" if c.recv(1) == b"x" else "ended"] += 1
                            except socket.timeout:
                                how["silent"] += 1
                            except OSError:
                                how["ended"] += 1
                            c.close()
                        print(how["answered"], how["ended"], how["silent"])
                """)
        }

        private func numbers(_ pid: Int32) throws -> Set<Int> {
            Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").compactMap { Int($0) })
        }

        /// From now on the process has room for `spare` more descriptors; the limit that does it.
        private func limit(_ pid: Int32, spare: Int) throws -> Int {
            let used = try numbers(pid)
            var limit = 0
            var free = 0
            while free < spare {
                if !used.contains(limit) { free += 1 }
                limit += 1
            }
            try allow(pid, limit)
            return limit
        }

        /// The process may have descriptors below `limit`. Only its own user may say so, where root is not all that root is.
        private func allow(_ pid: Int32, _ limit: Int) throws {
            try Command.shell(
                """
                ids=$(sed -n 's/^[UG]id:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/\(pid)/status)
                set -- $ids
                setpriv --reuid "$1" --regid "$2" --clear-groups prlimit --pid \(pid) --nofile=\(limit):
                """)
        }

        /// Hundredths of a second of processor time.
        private func processorTime(_ pid: Int32) throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            return (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
        }

        @Test func `descriptors lets the clients of its pods wait, without spinning, and serves them when it has more`()
            throws
        {
            let worker = try mesh.agent(.a).child("worker")
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            // Both loops have their tunnels then, and need no socket for another.
            let before = try crowd(10)
            #expect(try before.say("open") == "10")
            #expect(try before.say("end") == "10 0 0")
            let crowd = try crowd(100)
            let limit = try limit(worker, spare: 30)
            defer { _ = try? allow(worker, 20_000) }
            #expect(try crowd.say("open") == "100")
            try eventually("its descriptors are used up") {
                try numbers(worker).count { $0 < limit } == limit
            }
            let used = try processorTime(worker)
            #expect(try crowd.say("rest") == "rested")
            // It would be most of the fifty, if it tried again and again.
            #expect(try processorTime(worker) - used < 25)
            #expect(try held.say("ping") == "pong", "what it has goes on")
            try allow(worker, 20_000)
            let answers = try crowd.say("end")
            #expect(answers == "100 0 0", "answered, ended, silent")
            #expect(try mesh.agent(.a).child("worker") == worker)
        }

        @Test func `descriptors refuses those that come to its pods, and goes on with what it has`() throws {
            let worker = try mesh.agent(.b).child("worker")
            let held = try Dialogue.holding(mesh.machine, in: web.name, to: mesh.address(api), PodServer.echo)
            let crowd = try crowd(400)
            _ = try limit(worker, spare: 20)
            defer { _ = try? allow(worker, 20_000) }
            #expect(try crowd.say("open") == "400")
            let counts = try crowd.say("end").split(separator: " ").compactMap { Int($0) }
            #expect(counts.count == 3 && counts[0] > 0 && counts[1] > 0 && counts[2] == 0, "answered, ended, silent")
            #expect(try held.say("ping") == "pong", "what it has goes on")
            try allow(worker, 20_000)
            try eventually("it serves again") {
                try mesh.outcome(from: web, to: mesh.address(api), PodServer.echo) == "x|eof"
            }
            #expect(try mesh.agent(.b).child("worker") == worker)
        }
    }
}
