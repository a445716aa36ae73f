"""A peer that ends tunnels, and takes every liberty of HTTP/2 that Envoy does not take.

usage: odd.py list | odd.py serve DIRECTORY

DIRECTORY has chain.pem, key.pem and root.pem of the pod that this plays. What it does with a tunnel depends on the port
that the CONNECT names; all but a few echo. `list` prints a line `PORT<tab>HOW<tab>what it shows` for each of those that
a client only has to call: HOW is echo or refused. Says `violation` if the other side breaks HTTP/2.
"""

import hashlib
import os
import socket
import sys
import threading

from hyperframe import frame as frames

from h2link import HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, Closed, Link, raw, tls

SINK, DEAF = 7002, 7005
NO_ERROR, REFUSED_STREAM, CONNECT_ERROR = 0, 7, 10

manners = {}
# Ports whose first tunnel was turned away.
turned_away = set()


def manner(port, how, title):
    def note(kind):
        manners[port] = (how, title, kind)
        return kind
    return note


class Tunnel:
    """An accepted stream that echoes; others change some of it."""

    def __init__(self, link, stream):
        self.link, self.stream, self.is_over = link, stream, False
        self.turns = 0

    def headers(self, fields, flags=()):
        self.link.send(frames.HeadersFrame(self.stream.number, self.link.block_of(fields), flags=["END_HEADERS", *flags]))

    def asked(self):
        self.headers([(":status", "200")])

    def read(self, content):
        self.link.write(self.stream, content)

    def ended(self):
        self.link.write(self.stream, b"", end=True)

    def reset(self, code):
        self.link.send(frames.RstStreamFrame(self.stream.number, error_code=code))
        self.is_over = True

    def goaway(self, last):
        """What was opened behind the last stream is not answered, and the number may only fall."""
        self.link.last = min(last, self.link.last)
        self.link.send(frames.GoAwayFrame(0, last_stream_id=self.link.last, error_code=NO_ERROR))


@manner(7000, "echo", "a python peer, plainly")
class Echo(Tunnel):
    pass


@manner(7101, "echo", "DATA padded with 255 bytes, HEADERS padded")
class Padded(Tunnel):
    def asked(self):
        frame = frames.HeadersFrame(
            self.stream.number, self.link.block_of([(":status", "200")]), flags=["END_HEADERS", "PADDED"])
        frame.pad_length = 255
        self.link.send(frame)

    def read(self, content):
        self.link.write(self.stream, content, padding=255, size=100)


@manner(7102, "echo", "1-byte DATA")
class OneByte(Tunnel):
    def read(self, content):
        self.link.write(self.stream, content, size=1)


@manner(7103, "echo", "unknown frames, PRIORITY and PING between all others")
class Unknown(Tunnel):
    def noise(self):
        for number in (0, self.stream.number):
            for kind in (0x0A, 0x0C, 0xFA):
                self.link.send(raw(kind, 0xFF, number, os.urandom(30)))
        self.link.send(frames.PriorityFrame(self.stream.number, depends_on=0, stream_weight=9),
                       frames.PingFrame(opaque_data=os.urandom(8)))

    def asked(self):
        self.noise()
        super().asked()

    def read(self, content):
        self.noise()
        super().read(content)


@manner(7104, "echo", "trailers instead of END_STREAM on DATA")
class Trailers(Tunnel):
    def ended(self):
        self.headers([("grpc-status", "0"), ("x-more", "z" * 1000)], flags=["END_STREAM"])


@manner(7105, "echo", "SETTINGS in mid-stream: windows to 1, 0 and back, frames of all sizes, no dynamic table")
class SettingsChange(Tunnel):
    steps = [(1, 16384, 0), (100, 1 << 20, 4096), (0, 16384, 0), (1 << 20, 16385, 100), (65535, 16384, 4096)]

    def read(self, content):
        # Not with each question: who changes settings all the time is cut, and rightly.
        if self.turns < 2 * len(self.steps):
            self.change()
        super().read(content)

    def change(self):
        window, frame, table = self.steps[self.turns % len(self.steps)]
        self.turns += 1
        self.link.change_settings({INITIAL_WINDOW_SIZE: window, MAX_FRAME_SIZE: frame, HEADER_TABLE_SIZE: table})
        self.link.pump(lambda: not self.link.unacknowledged)
        # Credit has to come from somewhere at a window of 0.
        self.link.credit(self.stream, 1000)


@manner(7106, "echo", "103 before 200, and the answer in CONTINUATIONs")
class Informed(Tunnel):
    def asked(self):
        # hpack has no state in these: literals without index.
        self.link.send(frames.HeadersFrame(
            self.stream.number, self.link.block_of([(":status", "103"), ("link", "</x>")]), flags=["END_HEADERS"]))
        block = self.link.block_of([(":status", "200"), ("server", "odd")])
        self.link.send(frames.HeadersFrame(self.stream.number, block[:1]),
                       frames.ContinuationFrame(self.stream.number, block[1:3]),
                       frames.ContinuationFrame(self.stream.number, block[3:], flags=["END_HEADERS"]))


@manner(7107, "echo", "GOAWAY that leaves the stream out: it is asked for again on another session")
class TurnedAwaySession(Tunnel):
    def asked(self):
        if 7107 in turned_away:
            return super().asked()
        turned_away.add(7107)
        self.goaway(max(0, self.stream.number - 2))
        self.is_over = True


@manner(7108, "echo", "REFUSED_STREAM: the stream is asked for again")
class TurnedAwayStream(Tunnel):
    def asked(self):
        if 7108 in turned_away:
            return super().asked()
        turned_away.add(7108)
        self.reset(REFUSED_STREAM)


@manner(7109, "echo", "GOAWAY with the stream in it: it runs on to its end")
class GoingAway(Tunnel):
    def read(self, content):
        if self.turns == 0:
            self.goaway(max(self.link.streams))
        self.turns += 1
        super().read(content)


@manner(7110, "echo", "a limit of one stream, set in mid-session")
class OneStream(Tunnel):
    def asked(self):
        self.link.change_settings({MAX_CONCURRENT_STREAMS: 1})
        super().asked()


@manner(7401, "refused", "401, with a body and trailers")
class Unauthorized(Tunnel):
    def asked(self):
        self.headers([(":status", "401"), ("content-type", "text/plain")])
        self.link.write(self.stream, b"no")
        self.headers([("x-more", "no")], flags=["END_STREAM"])
        self.is_over = True


@manner(7404, "refused", "404 without a body")
class NotFound(Tunnel):
    def asked(self):
        self.headers([(":status", "404")], flags=["END_STREAM"])
        self.is_over = True


@manner(7601, "refused", "RST_STREAM instead of an answer")
class Reset(Tunnel):
    def asked(self):
        self.reset(CONNECT_ERROR)


@manner(7602, "refused", "RST_STREAM with CONNECT_ERROR after the answer")
class ResetLater(Tunnel):
    def read(self, content):
        self.reset(CONNECT_ERROR)


@manner(7603, "refused", "a frame that breaks HTTP/2: the session ends, its streams are cut")
class Broken(Tunnel):
    def asked(self):
        super().asked()
        # WINDOW_UPDATE of 0 on the connection.
        self.link.send(raw(8, 0, 0, bytes(4)))
        self.is_over = True


class Sink(Tunnel):
    def __init__(self, link, stream):
        super().__init__(link, stream)
        self.total, self.sha = 0, hashlib.sha256()

    def read(self, content):
        self.total += len(content)
        self.sha.update(content)

    def ended(self):
        self.link.write(self.stream, f"{self.total} {self.sha.hexdigest()}\n".encode(), end=True)


class Deaf(Tunnel):
    def asked(self):
        self.stream.gives_credit = False
        super().asked()

    def read(self, content):
        pass


class LastWord(Tunnel):
    """All of an answer, its end, and RST_STREAM with NO_ERROR: no more is wanted (RFC 9113 section 8.1)."""

    def asked(self):
        super().asked()
        self.link.write(self.stream, b"goodbye\n" * 5000, end=True)
        self.reset(NO_ERROR)


kinds = {port: kind for port, (_, _, kind) in manners.items()} | {SINK: Sink, DEAF: Deaf, 7111: LastWord}


def serve(link):
    tunnels, asked = [], []
    link.accepted = asked.append
    link.last = (1 << 31) - 1
    wants_turn = lambda t: t.stream.data or (t.stream.is_ended and not t.is_over) or t.stream.reset is not None
    while True:
        link.pump(lambda: asked or any(wants_turn(t) for t in tunnels), limit=3600)
        while asked:
            stream = asked.pop(0)
            if stream.number > link.last:
                continue
            authority = dict(stream.headers)[":authority"]
            tunnel = kinds[int(authority.rpartition(":")[2])](link, stream)
            tunnel.asked()
            tunnels.append(tunnel)
        for tunnel in tunnels:
            if tunnel.stream.reset is None and not tunnel.is_over and tunnel.stream.data:
                content = bytes(tunnel.stream.data)
                tunnel.stream.data.clear()
                tunnel.read(content)
            if tunnel.stream.is_ended and not tunnel.is_over and not tunnel.stream.data:
                tunnel.is_over = True
                if tunnel.stream.reset is None:
                    tunnel.ended()
        tunnels = [t for t in tunnels if not t.is_over and t.stream.reset is None]


def session(connection):
    try:
        serve(Link(connection, False, {MAX_CONCURRENT_STREAMS: 100}))
    except Closed:
        pass
    except Exception as error:
        # Nobody looks at a thread that dies.
        print(f"violation: {type(error).__name__}: {error}", flush=True)
    finally:
        connection.close()


def accept(context, raw):
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        connection = context.wrap_socket(raw, server_side=True)
    except OSError as error:
        print(f"handshake: {error}", flush=True)
        return
    session(connection)


def main():
    if sys.argv[1:] == ["list"]:
        for port, (how, title, _) in manners.items():
            print(f"{port}\t{how}\t{title}")
        return
    context = tls(sys.argv[2], False)
    listener = socket.create_server(("::", 15008), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    print("listening", flush=True)
    while True:
        threading.Thread(target=accept, args=(context, listener.accept()[0]), daemon=True).start()


main()
