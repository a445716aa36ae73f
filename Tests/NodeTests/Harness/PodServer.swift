/// What runs in every pod: one server per kind of behaviour, IPv4 and IPv6 on each port.
enum PodServer {
    /// Sends back what comes.
    static let echo = 7000
    /// Reads to the end, then answers with length, hash and the client's address.
    static let digest = 7001
    /// Speaks first: `hello ADDRESS`; then echoes.
    static let speaksFirst = 7002
    /// Resets after the first line.
    static let resets = 7003
    /// Sends 256 KiB after the first line, then resets.
    static let resetsWithData = 7004
    /// Reads a line that names the connection, answers `+`, then reads to the end; keeps how it ended.
    static let sink = 7005
    /// Sends as many bytes as the first line says, then ends.
    static let source = 7006
    /// Reads nothing until told through `control`.
    static let stalled = 7007
    /// Reads a line that names the connection, ends its own direction, then is as `sink`.
    static let endsFirst = 7008
    /// What happened? For the test alone, over loopback.
    static let control = 7009
    /// Nobody listens.
    static let nobody = 7010

    static let script = Python.script(
        #"""
        outcomes, accepted, changed, go = {}, [], threading.Condition(), threading.Event()

        def echo(c, peer):
            while True:
                data = c.recv(65536)
                if not data:
                    return c.close()
                c.sendall(data)

        def digest(c, peer):
            data, end = read_all(c)
            c.sendall(("%d %s %s %s" % (len(data), hashlib.sha256(data).hexdigest(), peer, end)).encode())
            c.close()

        def speaks_first(c, peer):
            c.sendall(("hello %s\n" % peer).encode())
            echo(c, peer)

        def resets(c, peer):
            read_line(c)
            reset(c)

        def resets_with_data(c, peer):
            read_line(c)
            c.sendall(pattern(262144))
            reset(c)

        def sink(c, peer):
            name = read_line(c).decode()
            c.sendall(b"+")
            finish(c, name)

        def finish(c, name):
            data, end = read_all(c)
            with changed:
                outcomes[name] = "%s %d" % (end, len(data))
                changed.notify_all()
            c.close()

        def ends_first(c, peer):
            name = read_line(c).decode()
            c.sendall(b"bye")
            c.shutdown(socket.SHUT_WR)
            finish(c, name)

        def source(c, peer):
            count = int(read_line(c))
            sent = 0
            while sent < count:
                size = min(1 << 20, count - sent)
                c.sendall(pattern(size, sent))
                sent += size
            c.close()

        def stalled(c, peer):
            go.wait(60)
            digest(c, peer)

        def control(c, peer):
            order = read_line(c).decode().split()
            if order[0] == "outcome":
                with changed:
                    changed.wait_for(lambda: order[1] in outcomes, 8)
                    c.sendall(outcomes.get(order[1], "nothing").encode())
            elif order[0] == "accepted":
                c.sendall(str(len(accepted)).encode())
            elif order[0] == "go":
                go.set()
                c.sendall(b"done")
            c.close()

        def guard(behave, c, peer):
            try:
                behave(c, peer)
            except Exception:
                c.close()

        def listen(port):
            s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("::", port))
            s.listen(512)
            return s

        def serve(s, behave):
            while True:
                c, peer = s.accept()
                c.settimeout(30)
                address = peer[0].removeprefix("::ffff:")
                if behave is not control:
                    accepted.append(address)
                threading.Thread(target=guard, args=(behave, c, address), daemon=True).start()

        behaviours = [echo, digest, speaks_first, resets, resets_with_data, sink, source, stalled, ends_first]
        pairs = [(listen(number), behave) for number, behave in list(enumerate(behaviours, 7000)) + [(7009, control)]]
        for pair in pairs:
            threading.Thread(target=serve, args=pair, daemon=True).start()
        print("listening", flush=True)
        sys.stdin.read()
        """#)
}
