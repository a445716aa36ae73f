import Foundation

/// Runs Python in pods: its standard library has sockets, TLS and raw packets, and it plays both ends.
enum Python {
    /// What every snippet begins with.
    static let prelude = #"""
        import hashlib, json, os, socket, ssl, struct, sys, threading, time

        def connect(host, port, timeout=8, source=None):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            made = socket.socket(family, socket.SOCK_STREAM)
            made.settimeout(timeout)
            if source:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind(source)
            made.connect((host, port))
            return made

        def read_all(c):
            """All that comes, and how it ends: eof, reset or timeout."""
            data = bytearray()
            while True:
                try:
                    more = c.recv(65536)
                except ConnectionResetError:
                    return bytes(data), "reset"
                except socket.timeout:
                    return bytes(data), "timeout"
                if not more:
                    return bytes(data), "eof"
                data += more

        def read_line(c):
            data = bytearray()
            while not data.endswith(b"\n"):
                more = c.recv(1)
                if not more:
                    raise EOFError("no line, only %r" % bytes(data))
                data += more
            return bytes(data[:-1])

        def reset(c):
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()

        def outcome(host, port, data=b"", timeout=8):
            """How one connection goes: refused at connect, or what came and how it ended."""
            try:
                c = connect(host, port, timeout)
            except ConnectionRefusedError:
                return "refused"
            except ConnectionResetError:
                # Accepted, and reset before this process saw that it was.
                return "reset"
            except socket.timeout:
                return "connect timeout"
            try:
                c.sendall(data)
                c.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got, end = read_all(c)
            return end if not got else got.decode("latin-1") + "|" + end

        def pattern(count, start=0):
            """Bytes that tell a lost, doubled or moved one."""
            block = b"".join(struct.pack(">I", i) for i in range(16384))
            whole = block * (count // len(block) + 2)
            return whole[start % len(block):start % len(block) + count]
        """#

    static func script(_ body: String) -> String { prelude + "\n" + body }
}

/// A Python program in a pod that is told what to do line by line, and answers each with a line.
final class Dialogue {
    private let process = Process()
    private let orders = Pipe()
    private let answers = Pipe()
    private var rest = Data()

    /// - Parameter seconds: after these it is ended, whatever it does.
    init(_ machine: Machine, in namespace: String, _ body: String, seconds: Int = 60) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments =
            ["-k", "1", "\(seconds)"]
            + machine.inside(namespace, [Command.python, "-u", "-c", Python.script(body)])
        process.standardInput = orders
        process.standardOutput = answers
        try process.run()
    }

    deinit {
        try? orders.fileHandleForWriting.close()
        process.terminate()
        process.waitUntilExit()
    }

    /// The next line that it prints.
    func next() throws -> String {
        while true {
            if let end = rest.firstIndex(of: 10) {
                let line = rest[rest.startIndex..<end]
                rest = Data(rest[rest.index(after: end)...])
                return String(decoding: line, as: UTF8.self)
            }
            let more = answers.fileHandleForReading.availableData
            guard !more.isEmpty else { throw CommandFailed(description: "the program in the pod has ended") }
            rest += more
        }
    }

    /// Gives an order; the answer.
    func say(_ order: String) throws -> String {
        try orders.fileHandleForWriting.write(contentsOf: Data((order + "\n").utf8))
        return try next()
    }

    /// A connection that is held: `ping` answers `pong` while bytes go both ways, `wait` how it ends.
    static func holding(_ machine: Machine, in namespace: String, to host: String, _ port: Int) throws -> Dialogue {
        let dialogue = try Dialogue(
            machine, in: namespace,
            """
            c = connect("\(host)", \(port))
            c.sendall(b"first"); c.recv(5)
            print("open")
            for order in sys.stdin:
                try:
                    if order.strip() == "ping":
                        token = os.urandom(8)
                        c.sendall(token)
                        got = b""
                        while len(got) < 8:
                            more = c.recv(8 - len(got))
                            if not more: raise EOFError("eof")
                            got += more
                        print("pong" if got == token else "garbled")
                    else:
                        print(read_all(c)[1])
                except Exception as problem:
                    print("broken: %r" % problem)
            """)
        let first = try dialogue.next()
        guard first == "open" else { throw CommandFailed(description: "the held connection said \(first)") }
        return dialogue
    }
}
