"""What a peer may do to a tunnel frame by frame, done to the HBONE port of a pod behind a meshnode agent.

usage: frames.py list | frames.py run CASE HOST DIRECTORY

DIRECTORY has chain.pem, key.pem and root.pem of the peer that this plays. The applications at HOST are those of peer.py.
`list` prints a line `CASE<tab>what it shows` for each; `run` prints what it saw, and ends with 0 if it is so.
"""

import hashlib
import os
import struct
import sys
import time

from hyperframe import frame as frames

from h2link import (
    HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, Closed, Violation, dial, raw)

ECHO, SOURCE, SINK, EARLY_END, CUT, DEAF = range(7000, 7006)
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = 1, 3, 5, 6, 7
COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = 9, 10, 11

cases = {}


def case(title):
    def note(function):
        cases[function.__name__] = (title, function)
        return function
    return note


class Peer:
    """The pod that is dialled."""

    def __init__(self, host, directory):
        self.host, self.directory = host, directory

    def dial(self, settings=None, **more):
        return dial(self.host, 15008, self.directory, settings, **more)

    def at(self, port):
        return f"{self.host}:{port}"

    def open(self, link, port=ECHO, **more):
        return link.open(self.at(port), **more)


def expect(holds, text):
    if not holds:
        raise Violation(text)


def echo(link, stream, content, **more):
    """Sends content to an application that echoes, ends, and wants it back to the byte."""
    wanted = bytes(stream.data) + content
    link.write(stream, content, end=True, **more)
    link.pump(lambda: stream.is_ended or stream.reset is not None)
    expect(stream.reset is None, f"reset with {stream.reset}")
    expect(bytes(stream.data) == wanted, f"{len(stream.data)} bytes came back, {len(wanted)} were sent")


def upload(link, stream, content, **more):
    """Sends content to the sink, which must have read exactly that."""
    link.write(stream, content, end=True, **more)
    link.pump(lambda: stream.is_ended or stream.reset is not None)
    wanted = f"{len(content)} {hashlib.sha256(content).hexdigest()}\n"
    expect(bytes(stream.data).decode() == wanted, f"the sink read {bytes(stream.data)!r}, reset {stream.reset}")


def still_works(peer, link):
    echo(link, peer.open(link), b"still here")


@case("a plain session: settings, CONNECT, 300,000 bytes there and back")
def plain(peer):
    link = peer.dial()
    echo(link, peer.open(link), os.urandom(300_000))
    return f"settings {dict(sorted(link.peer.items()))}"


@case("padding: HEADERS and DATA padded with 0 to 255 bytes")
def padding(peer):
    link = peer.dial()
    for pad in (0, 1, 17, 255):
        stream = link.new_stream()
        block = link.block_of([(":method", "CONNECT"), (":authority", peer.at(ECHO))])
        headers = frames.HeadersFrame(stream.number, block, flags=["END_HEADERS", "PADDED"])
        headers.pad_length = pad
        link.send(headers)
        link.pump(lambda: stream.status)
        echo(link, stream, os.urandom(50_000), padding=pad, size=1000)


@case("padding is given credit, too: 1 byte and 255 of padding, 20 windows of it")
def padding_credit(peer):
    link = peer.dial()
    stream, count = peer.open(link, SINK), 20 * link.peer[INITIAL_WINDOW_SIZE] // 256
    upload(link, stream, os.urandom(count), padding=255, size=1)
    return f"{count} frames"


@case("only padding, no byte of payload: nothing comes out, nothing stalls")
def padding_only(peer):
    link = peer.dial()
    stream = peer.open(link, ECHO)
    # Each such frame is an empty one; a few are no abuse.
    for _ in range(100):
        link.write(stream, b"x", size=1, padding=255)
        frame = frames.DataFrame(stream.number, b"", flags=["PADDED"])
        frame.pad_length = 255
        stream.send_window -= 256
        link.send_window -= 256
        link.send(frame)
    stream.data.clear()
    link.write(stream, b"", end=True)
    link.pump(lambda: stream.is_ended)
    expect(stream.received == 100, f"{stream.received} bytes came back, 100 were sent")


@case("CONTINUATION: a request in eight pieces, split anywhere")
def continuation(peer):
    link = peer.dial()
    fields = [(":method", "CONNECT"), (":authority", peer.at(ECHO)), ("baggage", "k8s.pod.name=" + "x" * 300)]
    for first in (0, 1, 3):
        stream, block = link.new_stream(), link.block_of(fields)
        cuts = [first + (len(block) - first) * n // 7 for n in range(8)]
        link.send(frames.HeadersFrame(stream.number, block[:first]))
        for index, (begin, end) in enumerate(zip(cuts, cuts[1:])):
            link.send(frames.ContinuationFrame(stream.number, block[begin:end], flags=["END_HEADERS"] if index == 6 else []))
        link.pump(lambda: stream.status)
        echo(link, stream, b"whole")


@case("CONTINUATION: a frame of another stream between them ends the session with PROTOCOL_ERROR")
def continuation_torn(peer):
    link = peer.dial()
    stream, block = link.new_stream(), link.block_of([(":method", "CONNECT"), (":authority", peer.at(ECHO))])
    link.send(frames.HeadersFrame(stream.number, block[:3]), frames.PingFrame(opaque_data=b"12345678"))
    return ends_with(link, PROTOCOL_ERROR)


@case("CONTINUATION without end: the session is ended, not the memory")
def continuation_flood(peer):
    link = peer.dial()
    stream = link.new_stream()
    link.send(frames.HeadersFrame(stream.number, b""))
    for _ in range(1000):
        link.send(frames.ContinuationFrame(stream.number, b"\0\1x\1y" * 100))
    return ends_with(link)


def ends_with(link, *codes):
    """The session must be closed, after a GOAWAY with one of the codes if any is named."""
    try:
        link.pump(lambda: False)
    except Closed:
        pass
    code = link.goaway[0] if link.goaway else None
    expect(link.is_closed, "the session goes on")
    expect(not codes or code in codes, f"GOAWAY {link.goaway}, not one of {codes}")
    return f"GOAWAY code {code}"


@case("priority: in HEADERS, and PRIORITY frames for open, idle and closed streams")
def priority(peer):
    link = peer.dial()
    link.send(frames.PriorityFrame(101, depends_on=0, stream_weight=255, exclusive=True))
    stream = link.new_stream()
    block = link.block_of([(":method", "CONNECT"), (":authority", peer.at(ECHO))])
    link.send(frames.HeadersFrame(
        stream.number, block, flags=["END_HEADERS", "PRIORITY"], depends_on=101, stream_weight=7, exclusive=True))
    link.pump(lambda: stream.status)
    link.send(frames.PriorityFrame(stream.number, depends_on=3, stream_weight=1))
    echo(link, stream, os.urandom(40_000))
    link.send(frames.PriorityFrame(stream.number, depends_on=0, stream_weight=1))
    still_works(peer, link)


@case("unknown frames, flags and settings are ignored, on the connection and on streams")
def unknown(peer):
    link = peer.dial({0x5555: 7, 0xF000: 0xFFFFFFFF})
    stream = peer.open(link)
    for number in (0, stream.number):
        for kind, size in ((0x0A, 20), (0x0B, 0), (0x10, 5), (0xFA, 16384)):
            link.send(raw(kind, 0xFF, number, os.urandom(size)))
            link.write(stream, b"between")
    # Flags that DATA does not have.
    link.send(raw(0, 0xF6, stream.number, b"flagged"))
    link.write(stream, b"", end=True)
    link.pump(lambda: stream.is_ended)
    expect(bytes(stream.data) == b"between" * 8 + b"flagged", f"came back: {bytes(stream.data)!r}")


@case("dynamic table: we allow none from now on, and the answer says so before anything else")
def table_resized_by_peer(peer):
    link = peer.dial()
    peer.open(link)
    link.change_settings({HEADER_TABLE_SIZE: 0})
    link.pump(lambda: not link.unacknowledged)
    for _ in range(3):
        echo(link, peer.open(link), b"without a table")
    # RFC 7541 section 6.3: 001 and the size, in five bits.
    expect(link.blocks[1][:1] == b"\x20", f"the block after the change begins with {link.blocks[1][:1].hex()}")
    expect(link.decoder.header_table.maxsize == 0, "no size update to 0")


@case("dynamic table: ours goes from 4,096 to 0 and back while it is used")
def table_resized_by_us(peer):
    link = peer.dial()
    for size in (4096, 0, 4096, 100, 0, 4096):
        link.encoder.header_table_size = size
        for _ in range(3):
            stream = peer.open(link, headers=[("baggage", "k8s.pod.name=web"), ("x-more", "the same each time")])
            echo(link, stream, b"found")


@case("dynamic table: a reference to an entry that is gone ends the session with COMPRESSION_ERROR")
def table_broken(peer):
    link = peer.dial()
    stream = link.new_stream()
    link.send(frames.HeadersFrame(stream.number, b"\xff\x20", flags=["END_HEADERS"]))
    return ends_with(link, COMPRESSION_ERROR)


@case("SETTINGS in mid-stream: windows and frames shrink and grow while bytes come down, none beyond them")
def settings_changes(peer):
    link = peer.dial({INITIAL_WINDOW_SIZE: 1 << 20, MAX_FRAME_SIZE: 1 << 20})
    stream = peer.open(link, SOURCE)
    # Window, frame size, and how many bytes come with it: one turn of the peer for each window.
    changes = [(70_000, 16384, 1 << 20), (1000, 16384, 50_000), (1 << 20, 1 << 20, 4 << 20), (1, 16384, 20),
               (5000, 16385, 100_000), (1 << 18, 1 << 18, 1 << 20)]
    largest = []
    for window, frame, count in changes * 2:
        target = stream.received + count
        link.change_settings({INITIAL_WINDOW_SIZE: window, MAX_FRAME_SIZE: frame})
        link.pump(lambda: not link.unacknowledged)
        stream.largest = 0
        link.pump(lambda: stream.received >= target)
        expect(stream.largest <= frame, f"a frame of {stream.largest} bytes, {frame} are allowed")
        largest.append(stream.largest)
    expect(bytes(stream.data) == beginning(len(stream.data)), "other bytes came than were sent")
    return f"{stream.received >> 20} MiB, frames up to {max(largest)} bytes"


def beginning(count):
    """What the source's file begins with."""
    with open(os.environ["INTEROP_FILE"], "rb") as file:
        return file.read(count)


@case("SETTINGS in mid-stream: a window below zero holds everything until it is positive again")
def settings_negative(peer):
    link = peer.dial({INITIAL_WINDOW_SIZE: 100_000})
    stream = peer.open(link, SOURCE)
    stream.gives_credit = False
    link.pump(lambda: stream.received == 100_000)
    link.change_settings({INITIAL_WINDOW_SIZE: 0})
    link.pump(lambda: not link.unacknowledged)
    expect(stream.receive_window == -100_000, f"the window is {stream.receive_window}")
    link.credit(stream, 100_000)
    link.send(frames.PingFrame(opaque_data=b"not-yet!"))
    link.pump(lambda: link.pongs)
    expect(stream.received == 100_000, "it sends into a window of 0")
    link.credit(stream, 1)
    link.pump(lambda: stream.received == 100_001)
    link.change_settings({INITIAL_WINDOW_SIZE: 50_000})
    link.pump(lambda: stream.received == 150_001)


@case("a window of 0 from the start: the answer comes, payload with the first credit")
def window_zero(peer):
    link = peer.dial({INITIAL_WINDOW_SIZE: 0})
    stream = peer.open(link)
    link.write(stream, b"question", end=True)
    stream.gives_credit = False
    link.send(frames.PingFrame(opaque_data=b"answer??"))
    link.pump(lambda: link.pongs)
    expect(stream.received == 0, "it sends into a window of 0")
    for count in range(1, 9):
        link.credit(stream, 1)
        link.pump(lambda: stream.received == count)
    # An empty DATA may wait for credit, too (RFC 9113 section 6.9.1).
    link.credit(stream, 1)
    link.pump(lambda: stream.is_ended)
    expect(bytes(stream.data) == b"question", f"came back: {bytes(stream.data)!r}")


@case("trailers end a direction as END_STREAM does, and are ignored")
def trailers(peer):
    link = peer.dial()
    content = os.urandom(100_000)
    stream = peer.open(link, SINK)
    link.write(stream, content)
    link.send(frames.HeadersFrame(
        stream.number, link.block_of([("grpc-status", "0"), ("x-more", "y" * 500)]), flags=["END_HEADERS", "END_STREAM"]))
    link.pump(lambda: stream.is_ended or stream.reset is not None)
    wanted = f"{len(content)} {hashlib.sha256(content).hexdigest()}\n"
    expect(bytes(stream.data).decode() == wanted, f"the sink read {bytes(stream.data)!r}, reset {stream.reset}")
    expect(stream.trailers is None, f"trailers came: {stream.trailers}")


@case("1-byte DATA: 30,000 frames, and the session is not taken for an attack")
def one_byte(peer):
    link = peer.dial()
    echo(link, peer.open(link), os.urandom(30_000), size=1)
    still_works(peer, link)


@case("frames as large as the peer allows")
def large_frames(peer):
    link = peer.dial()
    size = link.peer[MAX_FRAME_SIZE]
    upload(link, peer.open(link, SINK), os.urandom(3 * size + 1), size=size)
    return f"{size} bytes"


@case("8 applications do not read: a 9th upload on the same session goes at full speed")
def stalled_uploads(peer):
    content = os.urandom(32 << 20)
    link, free = peer.dial(), peer.dial()
    stalled = [peer.open(link, DEAF) for _ in range(8)]
    for stream in stalled:
        fill(link, stream)
    seen = compare(len(content), lambda link: upload(link, peer.open(link, SINK), content), free, link)
    expect(all(stream.send_window <= 0 for stream in stalled), "not all are stalled")
    return seen


def fill(link, stream):
    """Sends until the stream's window has been closed for good: the application's buffers are full."""
    filler = bytes(65536)
    for _ in range(1000):
        link.write(stream, filler[:max(0, min(stream.send_window, len(filler)))])
        if stream.send_window > 0:
            continue
        wanted = len(link.pongs) + 1
        link.send(frames.PingFrame(opaque_data=b"stalled?"))
        link.pump(lambda: len(link.pongs) >= wanted)
        if stream.send_window <= 0:
            # What is under way to the application may still be taken.
            try:
                link.pump(lambda: stream.send_window > 0, limit=0.2)
            except Closed:
                raise
            except Violation:
                return
    raise Violation("the application reads after all")


@case("8 peers' streams get no credit: a 9th download on the same session goes at full speed")
def stalled_downloads(peer):
    link, free = (peer.dial({INITIAL_WINDOW_SIZE: 1 << 20}) for _ in range(2))
    size = 32 << 20

    def download(link):
        stream = peer.open(link, SOURCE)
        stream.keeps_data = False
        link.pump(lambda: stream.received >= size, limit=60)
        link.send(frames.RstStreamFrame(stream.number, error_code=8))

    stalled = [peer.open(link, SOURCE) for _ in range(8)]
    for stream in stalled:
        stream.gives_credit = False
    link.pump(lambda: all(stream.receive_window <= 0 for stream in stalled))
    before = [stream.received for stream in stalled]
    seen = compare(size, download, free, link)
    expect([stream.received for stream in stalled] == before, "not all are stalled")
    return seen


def compare(size, carry, free, busy):
    """Carries `size` bytes on a session without stalled streams and on the one with them, in turn: the latter must not take
    twice as long. What else this machine does may fall on one of them, so there are three attempts."""
    rate = lambda seconds: f"{size / seconds / (1 << 20):.0f} MiB/s"
    seen = []
    for _ in range(3):
        alone, beside = timed(lambda: carry(free)), timed(lambda: carry(busy))
        seen.append(f"{rate(beside)}, without them {rate(alone)}")
        if beside < 2 * alone:
            return seen[-1]
    raise Violation("; ".join(seen))


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


@case("half-close: the application's end first; our bytes still arrive, then ours")
def half_close(peer):
    link = peer.dial()
    stream = peer.open(link, EARLY_END)
    link.pump(lambda: stream.is_ended)
    expect(bytes(stream.data) == b"goodbye\n", f"its last word was {bytes(stream.data)!r}")
    link.write(stream, os.urandom(500_000), end=True)
    link.send(frames.PingFrame(opaque_data=b"all-good"))
    link.pump(lambda: link.pongs)
    expect(stream.reset is None, f"reset with {stream.reset}")


@case("bytes sent before the answer are kept and delivered")
def early_data(peer):
    link = peer.dial()
    stream = link.connect(peer.at(ECHO))
    link.write(stream, b"early")
    link.pump(lambda: stream.status)
    link.write(stream, b" and late", end=True)
    link.pump(lambda: stream.is_ended or stream.reset is not None)
    expect(bytes(stream.data) == b"early and late", f"came back: {bytes(stream.data)!r}")


@case("the application resets: RST_STREAM with CONNECT_ERROR, and nothing else is touched")
def application_resets(peer):
    link = peer.dial()
    other, stream = peer.open(link), peer.open(link, CUT)
    link.write(stream, b"go\n")
    link.pump(lambda: stream.reset is not None or stream.is_ended)
    expect(stream.reset == CONNECT_ERROR, f"reset {stream.reset}, ended {stream.is_ended}")
    echo(link, other, b"untouched")


@case("refusals: port without a listener 503, other address 400, the mesh's own port 400, GET 4xx")
def refusals(peer):
    link, seen = peer.dial(), []
    for authority, wanted in (
        (peer.at(9), "503"), ("10.240.2.11:6379", "400"), (peer.at(15008), "400"), (peer.at(15001), "400"),
        ("nonsense", "400"), (f"{peer.host}:0", "400"), (f"{peer.host}:65536", "400"), (f"{peer.host}:", "400"),
    ):
        stream = link.connect(authority)
        link.pump(lambda: stream.is_ended or stream.reset is not None)
        expect(stream.status == wanted, f"CONNECT {authority}: {stream.status}, reset {stream.reset}, not {wanted}")
        seen.append(stream.status)
    stream = link.new_stream()
    block = link.block_of([(":method", "GET"), (":scheme", "https"), (":authority", peer.at(ECHO)), (":path", "/")])
    link.send(frames.HeadersFrame(stream.number, block, flags=["END_HEADERS", "END_STREAM"]))
    link.pump(lambda: stream.is_ended or stream.reset is not None)
    expect((stream.status or "4").startswith("4"), f"GET: {stream.status}, reset {stream.reset}")
    still_works(peer, link)
    return " ".join([*seen, f"GET {stream.status}"])


@case("CONNECT with a path or a scheme is malformed: its stream is reset, the session goes on")
def malformed(peer):
    link = peer.dial()
    for extra in ((":path", "/"), (":scheme", "https"), ("Upper", "case"), ("connection", "close")):
        stream = link.new_stream()
        fields = [(":method", "CONNECT"), (":authority", peer.at(ECHO)), extra]
        link.send(frames.HeadersFrame(stream.number, link.block_of(fields), flags=["END_HEADERS"]))
        link.pump(lambda: stream.reset is not None or stream.status)
        expect(stream.status != "200", f"{extra} was accepted")
    still_works(peer, link)


@case("as many streams as the peer allows, all at once")
def streams_at_once(peer):
    link = peer.dial()
    allowed = link.peer[MAX_CONCURRENT_STREAMS]
    streams = [link.connect(peer.at(ECHO)) for _ in range(allowed)]
    link.pump(lambda: all(stream.status == "200" for stream in streams))
    for stream in streams:
        echo(link, stream, b"one of many")
    return f"{allowed} streams"


@case("more streams than that, asked for before we have read the limit: REFUSED_STREAM, the others run")
def streams_beyond_limit(peer):
    link = peer.dial(acknowledges=False)
    allowed = link.peer[MAX_CONCURRENT_STREAMS]
    streams = [link.connect(peer.at(ECHO)) for _ in range(allowed + 20)]
    link.pump(lambda: all(stream.status or stream.reset is not None for stream in streams))
    expect([s.reset for s in streams[allowed:]] == [REFUSED_STREAM] * 20, f"resets {[s.reset for s in streams]}")
    for stream in streams[:allowed]:
        echo(link, stream, b"one of many")


@case("more streams than that, against better knowledge: PROTOCOL_ERROR or REFUSED_STREAM, and none of them opens")
def streams_beyond_known_limit(peer):
    link = peer.dial()
    streams = [link.connect(peer.at(ECHO)) for _ in range(link.peer[MAX_CONCURRENT_STREAMS])]
    link.pump(lambda: all(stream.status == "200" for stream in streams))
    extra = link.connect(peer.at(ECHO))
    try:
        link.pump(lambda: extra.reset is not None or extra.status)
    except Closed:
        return ends_with(link, PROTOCOL_ERROR)
    expect(extra.reset in (PROTOCOL_ERROR, REFUSED_STREAM), f"{extra.status}, reset {extra.reset}")


@case("more than the window allows: FLOW_CONTROL_ERROR")
def beyond_window(peer):
    link = peer.dial()
    stream = peer.open(link, DEAF)
    fill(link, stream)
    link.send(frames.DataFrame(stream.number, bytes(16384)))
    try:
        link.pump(lambda: stream.reset is not None)
    except Closed:
        pass
    code = stream.reset if stream.reset is not None else (link.goaway or [None])[0]
    expect(code == FLOW_CONTROL_ERROR, f"reset {stream.reset}, GOAWAY {link.goaway}")


@case("credit beyond 2^31-1 on a stream resets it, on the connection ends it: FLOW_CONTROL_ERROR")
def credit_overflow(peer):
    link = peer.dial()
    stream = peer.open(link)
    link.send(frames.WindowUpdateFrame(stream.number, window_increment=(1 << 31) - 1))
    link.pump(lambda: stream.reset is not None)
    expect(stream.reset == FLOW_CONTROL_ERROR, f"reset {stream.reset}")
    still_works(peer, link)
    link.send(frames.WindowUpdateFrame(0, window_increment=(1 << 31) - 1))
    return ends_with(link, FLOW_CONTROL_ERROR)


@case("a frame larger than allowed ends the session with FRAME_SIZE_ERROR")
def frame_too_large(peer):
    link = peer.dial()
    stream = peer.open(link)
    link.send(struct.pack(">I", (link.peer[MAX_FRAME_SIZE] + 1) << 8)[:3] + b"\0\0" + struct.pack(">I", stream.number))
    return ends_with(link, FRAME_SIZE_ERROR)


@case("DATA on stream 0, and on a stream that nobody opened: PROTOCOL_ERROR")
def data_nowhere(peer):
    for number in (0, 4711):
        link = peer.dial()
        peer.open(link)
        link.send(raw(0, 0, number, b"x"))
        ends_with(link, PROTOCOL_ERROR, STREAM_CLOSED)


@case("our GOAWAY: open streams run on to their end, then the connection is closed")
def goaway(peer):
    link = peer.dial()
    stream = peer.open(link)
    link.write(stream, b"before ")
    link.send(frames.GoAwayFrame(0, last_stream_id=0, error_code=0))
    link.pump(lambda: stream.received == 7)
    echo(link, stream, b"after")
    return ends_with(link)


@case("PING is answered with its own eight bytes, in the middle of traffic")
def ping(peer):
    link = peer.dial()
    stream = peer.open(link, SOURCE)
    stream.keeps_data = False
    words = [struct.pack(">Q", number) for number in range(20)]
    for word in words:
        target = stream.received + 100_000
        link.send(frames.PingFrame(opaque_data=word))
        link.pump(lambda: stream.received >= target)
    link.pump(lambda: len(link.pongs) == len(words))
    expect(link.pongs == words, "other answers than questions")


@case("a session that dies with 50 streams open leaves the agent well")
def sudden_death(peer):
    for _ in range(3):
        link = peer.dial()
        streams = [link.connect(peer.at(SOURCE)) for _ in range(50)]
        for stream in streams:
            stream.keeps_data = False
        link.pump(lambda: all(stream.status for stream in streams))
        link.connection.close()
    still_works(peer, peer.dial())


def main():
    if sys.argv[1:] == ["list"]:
        for name, (title, _) in cases.items():
            print(f"{name}\t{title}")
        return
    _, name, host, directory = sys.argv[1:]
    try:
        seen = cases[name][1](Peer(host, directory))
    except (Violation, OSError) as error:
        sys.exit(f"{name}: {type(error).__name__}: {error}")
    print(seen or "")


main()
