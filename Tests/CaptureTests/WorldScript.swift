/// A process that opens sockets in the namespaces of a test, told line by line what to do. Python, because its
/// standard library has raw sockets and socket options that the test would otherwise have to bring.
let worldScript = #"""
    import ctypes, json, os, select, socket, struct, sys

    libc = ctypes.CDLL(None, use_errno=True)
    spaces, listeners, receivers, kept = {}, {}, {}, {}

    def enter(name):
        if name not in spaces:
            spaces[name] = os.open("/run/netns/" + name, os.O_RDONLY)
        if libc.setns(spaces[name], 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def family(address):
        return socket.AF_INET6 if ":" in address else socket.AF_INET

    def make(order, kind):
        enter(order["space"])
        if "cgroup" in order:
            open(order["cgroup"] + "/cgroup.procs", "w").write(str(os.getpid()))
        made = socket.socket(family(order["to"] if "to" in order else order["address"]), kind)
        if "cgroup" in order:
            open(order["home"] + "/cgroup.procs", "w").write(str(os.getpid()))
        if "mark" in order:
            made.setsockopt(socket.SOL_SOCKET, 36, order["mark"])
        if order.get("transparent"):
            v6 = made.family == socket.AF_INET6
            made.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, 75 if v6 else 19, 1)
        if "from" in order:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((order["from"], order.get("fromPort", 0)))
        return made

    def listen(order):
        made = make(order, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((order["address"], order["port"]))
        made.listen(64)
        listeners[order["name"]] = made
        return {}

    def original(accepted):
        try:
            if accepted.family == socket.AF_INET6 and not accepted.getpeername()[0].startswith("::ffff:"):
                raw = accepted.getsockopt(socket.IPPROTO_IPV6, 80, 28)
                return "[%s]:%d" % (socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack("!H", raw[2:4])[0])
            raw = accepted.getsockopt(socket.IPPROTO_IP, 80, 16)
            return "%s:%d" % (socket.inet_ntoa(raw[4:8]), struct.unpack("!H", raw[2:4])[0])
        except OSError:
            return "none"

    def connect(order):
        made = make(order, socket.SOCK_STREAM)
        made.settimeout(order.get("patience", 3))
        try:
            made.connect((order["to"], order["port"]))
        except ConnectionRefusedError:
            return {"reached": "refused"}
        except (socket.timeout, OSError) as problem:
            return {"reached": "nothing", "why": str(problem)}
        token = os.urandom(8)
        made.sendall(token)
        while True:
            ready, _, _ = select.select(list(listeners.values()), [], [], 3)
            if not ready:
                return {"reached": "nobody"}
            for name, listener in listeners.items():
                if listener not in ready:
                    continue
                accepted, peer = listener.accept()
                accepted.settimeout(3)
                if accepted.recv(8) != token:
                    continue
                if "keep" in order:
                    kept[order["keep"]] = (made, accepted)
                return {"reached": name, "original": original(accepted), "peer": peer[0], "peerPort": peer[1]}

    def exchange(order):
        one, other = kept[order["name"]]
        try:
            for sender, receiver in ((one, other), (other, one)):
                sender.settimeout(3)
                receiver.settimeout(3)
                token = os.urandom(8)
                sender.sendall(token)
                if receiver.recv(8) != token:
                    return {"state": "closed"}
            return {"state": "works"}
        except OSError as problem:
            return {"state": str(problem)}

    def receive(order):
        made = make(order, socket.SOCK_DGRAM)
        made.bind((order["address"], order["port"]))
        receivers[order["name"]] = made
        return {}

    def datagram(order):
        made = make(order, socket.SOCK_DGRAM)
        token = os.urandom(8)
        try:
            made.sendto(token, (order["to"], order["port"]))
        except PermissionError:
            return {"reached": "refused"}
        ready, _, _ = select.select(list(receivers.values()), [], [], order.get("patience", 3))
        for name, receiver in receivers.items():
            if receiver in ready:
                data, peer = receiver.recvfrom(64)
                if data == token:
                    receiver.sendto(token, peer)
                    answered, _, _ = select.select([made], [], [], 3)
                    return {"reached": name, "answered": bool(answered)}
        return {"reached": "nothing"}

    def checksum(data):
        if len(data) % 2:
            data += b"\0"
        total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff

    def foreign_ack(order):
        """A bare ACK with a TCP-MD5 option: a listener without a key drops it without an answer."""
        enter(order["space"])
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        raw.bind((order["from"], 0))
        options = bytes([19, 18]) + bytes(16) + bytes([1, 1])
        def segment(check):
            words = (5 + len(options) // 4) << 12 | 0x10
            return struct.pack("!HHIIHHHH", order["fromPort"], order["port"], 1000, 2000, words, 1024, check, 0) + options
        bare = segment(0)
        pseudo = socket.inet_aton(order["from"]) + socket.inet_aton(order["to"]) + struct.pack("!BBH", 0, 6, len(bare))
        raw.sendto(segment(checksum(pseudo + bare)), (order["to"], 0))
        return {}

    def ping(order):
        enter(order["space"])
        v6 = family(order["to"]) == socket.AF_INET6
        raw = socket.socket(family(order["to"]), socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
        request, answer = (128, 129) if v6 else (8, 0)
        message = struct.pack("!BBHHH", request, 0, 0, 7, 1)
        raw.sendto(message[:2] + struct.pack("!H", checksum(message)) + message[4:], (order["to"], 0))
        raw.settimeout(3)
        while True:
            data = raw.recv(256)
            if data[0 if v6 else 20] == answer:
                return {"answered": True}

    orders = {"listen": listen, "connect": connect, "exchange": exchange, "receive": receive, "datagram": datagram,
              "foreignAck": foreign_ack, "ping": ping}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = orders[order["do"]](order)
        except Exception as problem:
            answer = {"problem": repr(problem)}
        print(json.dumps(answer), flush=True)
    """#
