"""HTTP/2 frame by frame over mTLS, in either role, for peers that do what honest libraries never do.

A Link reads what comes, keeps the books of flow control in both directions, and raises Violation if the other side
breaks HTTP/2 (RFC 9113): a frame that is larger than allowed, or bytes beyond a window. What is sent is up to the caller.
"""

import collections
import select
import socket
import ssl
import struct
import time

import hpack
from hyperframe import frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5
LIMIT = 15


class Violation(Exception):
    """The other side broke HTTP/2, or did not do what it was waited for."""


class Closed(Violation):
    """The other side closed the connection."""


def raw(kind, flags, number, body=b""):
    """A frame of any type and with any flags; hyperframe writes only those that it knows."""
    return struct.pack(">I", len(body))[1:] + bytes((kind, flags)) + struct.pack(">I", number) + body


class Stream:
    def __init__(self, number, send_window, receive_window):
        self.number = number
        self.send_window, self.receive_window = send_window, receive_window
        self.headers, self.trailers, self.status = None, None, None
        self.data, self.received, self.largest = bytearray(), 0, 0
        self.is_ended, self.reset = False, None
        # Credit goes back as bytes come; False stalls it.
        self.gives_credit = True
        self.keeps_data = True


class Link:
    def __init__(self, connection, is_client, settings=None):
        self.connection, self.is_client = connection, is_client
        connection.setblocking(False)
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.streams, self.next_stream = {}, 1
        self.peer = {HEADER_TABLE_SIZE: 4096, INITIAL_WINDOW_SIZE: 65535, MAX_FRAME_SIZE: 16384}
        self.has_settings = False
        # Ours count from when the other side has acknowledged them.
        self.own = {INITIAL_WINDOW_SIZE: 65535, MAX_FRAME_SIZE: 16384}
        self.unacknowledged = collections.deque()
        self.send_window, self.receive_window = 65535, 65535
        self.goaway, self.pongs, self.blocks, self.block = None, [], [], None
        self.acknowledges = True
        # Called with a new stream, in the accepting role.
        self.accepted = None
        self.is_closed = False
        if is_client:
            self.outgoing += PREFACE
        self.change_settings(settings or {})

    # --- sending

    def send(self, *sent):
        for frame in sent:
            self.outgoing += frame if isinstance(frame, (bytes, bytearray)) else frame.serialize()

    def change_settings(self, settings):
        self.unacknowledged.append(dict(settings))
        self.send(frames.SettingsFrame(settings=settings))

    def block_of(self, headers):
        return self.encoder.encode(headers)

    def connect(self, authority, headers=(), flags=()):
        """Asks for a tunnel; the stream."""
        stream = self.new_stream()
        block = self.block_of([(":method", "CONNECT"), (":authority", authority), *headers])
        self.send(frames.HeadersFrame(stream.number, block, flags=["END_HEADERS", *flags]))
        return stream

    def new_stream(self, number=None):
        if number is None:
            number, self.next_stream = self.next_stream, self.next_stream + 2
        stream = Stream(number, self.peer[INITIAL_WINDOW_SIZE], self.own[INITIAL_WINDOW_SIZE])
        self.streams[number] = stream
        return stream

    def open(self, authority, **more):
        """A tunnel that was accepted."""
        stream = self.connect(authority, **more)
        self.pump(lambda: stream.status or stream.reset is not None)
        if stream.status != "200":
            raise Violation(f"CONNECT {authority} was answered with {stream.status}, reset {stream.reset}")
        return stream

    def write(self, stream, content, end=False, size=16384, padding=None):
        """Sends content in frames of at most `size` bytes, padded with `padding` bytes each, as windows allow."""
        content, offset = memoryview(bytes(content)), 0
        overhead = 0 if padding is None else 1 + padding
        size = min(size, self.peer[MAX_FRAME_SIZE] - overhead)
        while offset < len(content) or end:
            # Turn after turn, so that what comes meanwhile is read and answered.
            if len(self.outgoing) > 1 << 20:
                self.pump(lambda: len(self.outgoing) < 1 << 18)
            room = lambda: min(stream.send_window, self.send_window) - overhead
            if offset < len(content) and room() <= 0:
                self.pump(lambda: room() > 0 or stream.reset is not None)
            if stream.reset is not None:
                raise Violation(f"reset with {stream.reset} while it was written")
            count = min(size, len(content) - offset, max(room(), 0))
            frame = frames.DataFrame(stream.number, bytes(content[offset:offset + count]))
            if padding is not None:
                frame.flags.add("PADDED")
                frame.pad_length = padding
            offset += count
            if end and offset == len(content):
                frame.flags.add("END_STREAM")
                end = False
            stream.send_window -= count + overhead
            self.send_window -= count + overhead
            self.send(frame)
        self.flush()

    def credit(self, stream, count):
        stream.receive_window += count
        self.send(frames.WindowUpdateFrame(stream.number, window_increment=count))

    # --- the connection

    def flush(self):
        while self.outgoing:
            try:
                sent = self.connection.send(bytes(self.outgoing[:1 << 16]))
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                return
            except OSError as error:
                self.is_closed = True
                self.outgoing.clear()
                raise Closed(repr(error)) from None
            del self.outgoing[:sent]

    def pump(self, until, limit=LIMIT):
        """Reads and writes until `until()` holds; raises Violation after `limit` seconds, Closed at the end."""
        deadline = time.monotonic() + limit
        while True:
            self.read_frames()
            self.flush()
            if until():
                return
            if self.is_closed:
                raise Closed(f"the connection was closed, GOAWAY {self.goaway}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Violation(f"not within {limit} s: {self.state()}")
            if self.read():
                continue
            select.select([self.connection], [self.connection] if self.outgoing else [], [], min(left, 0.1))

    def read(self):
        try:
            got = self.connection.recv(1 << 16)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return False
        except OSError as error:
            self.is_closed, self.ended_with = True, repr(error)
            return True
        if not got:
            self.is_closed = True
        self.incoming += got
        return True

    def state(self):
        open_streams = {s.number: (s.status, s.received, s.is_ended, s.reset) for s in self.streams.values()}
        return f"windows {self.send_window}/{self.receive_window}, GOAWAY {self.goaway}, streams {open_streams}"[:400]

    # --- receiving

    def read_frames(self):
        while len(self.incoming) >= 9:
            if not self.is_client and self.next_stream == 1 and self.incoming[:3] == PREFACE[:3]:
                if len(self.incoming) < len(PREFACE):
                    return
                if bytes(self.incoming[:len(PREFACE)]) != PREFACE:
                    raise Violation("no preface")
                del self.incoming[:len(PREFACE)]
                self.next_stream = 2
                continue
            frame, length = frames.Frame.parse_frame_header(memoryview(bytes(self.incoming[:9])))
            allowed = max([self.own[MAX_FRAME_SIZE], *(s.get(MAX_FRAME_SIZE, 0) for s in self.unacknowledged)])
            if length > allowed:
                raise Violation(f"a frame of {length} bytes, {allowed} are allowed")
            if len(self.incoming) < 9 + length:
                return
            frame.parse_body(memoryview(bytes(self.incoming[9:9 + length])))
            del self.incoming[:9 + length]
            self.received(frame)

    def received(self, frame):
        kind = type(frame).__name__
        handler = getattr(self, "received_" + kind, None)
        if handler:
            handler(frame)
        elif not isinstance(frame, frames.ExtensionFrame):
            raise Violation(f"a {kind} that nobody expects")

    def stream_of(self, frame):
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            raise Violation(f"{type(frame).__name__} on stream {frame.stream_id}, which is none")
        return stream

    def received_SettingsFrame(self, frame):
        if "ACK" in frame.flags:
            if not self.unacknowledged:
                raise Violation("an acknowledgement of no settings")
            settings = self.unacknowledged.popleft()
            change = settings.get(INITIAL_WINDOW_SIZE, self.own[INITIAL_WINDOW_SIZE]) - self.own[INITIAL_WINDOW_SIZE]
            for stream in self.streams.values():
                stream.receive_window += change
            self.own.update(settings)
            if HEADER_TABLE_SIZE in settings:
                self.decoder.max_allowed_table_size = settings[HEADER_TABLE_SIZE]
            return
        change = frame.settings.get(INITIAL_WINDOW_SIZE, self.peer[INITIAL_WINDOW_SIZE])
        for stream in self.streams.values():
            stream.send_window += change - self.peer[INITIAL_WINDOW_SIZE]
        self.peer.update(frame.settings)
        self.has_settings = True
        if self.acknowledges:
            self.send(frames.SettingsFrame(flags=["ACK"]))

    def received_HeadersFrame(self, frame):
        if not self.is_client and frame.stream_id not in self.streams:
            self.new_stream(frame.stream_id)
        self.block = (self.stream_of(frame), bytearray(frame.data), "END_STREAM" in frame.flags)
        if "END_HEADERS" in frame.flags:
            self.block_ended()

    def received_ContinuationFrame(self, frame):
        if self.block is None or self.block[0].number != frame.stream_id:
            raise Violation("a CONTINUATION of nothing")
        self.block[1].extend(frame.data)
        if "END_HEADERS" in frame.flags:
            self.block_ended()

    def block_ended(self):
        (stream, block, is_ended), self.block = self.block, None
        self.blocks.append(bytes(block))
        fields = [(bytes(n).decode(), bytes(v).decode()) for n, v in self.decoder.decode(bytes(block), raw=True)]
        if stream.headers is None:
            stream.headers, stream.status = fields, dict(fields).get(":status")
        else:
            stream.trailers = fields
        stream.is_ended = stream.is_ended or is_ended
        if not self.is_client and stream.trailers is None and self.accepted:
            self.accepted(stream)

    def received_DataFrame(self, frame):
        stream, count = self.stream_of(frame), frame.flow_controlled_length
        if stream.is_ended:
            raise Violation(f"DATA behind the end of stream {stream.number}")
        if self.is_client and stream.status is None:
            raise Violation("DATA before the answer")
        stream.receive_window -= count
        self.receive_window -= count
        # Shrunk settings that are not acknowledged yet do not bind.
        if stream.receive_window < 0 and count > 0:
            raise Violation(f"{-stream.receive_window} bytes beyond the window of stream {stream.number}")
        if self.receive_window < 0:
            raise Violation(f"{-self.receive_window} bytes beyond the window of the connection")
        stream.received += len(frame.data)
        stream.largest = max(stream.largest, len(frame.data))
        if stream.keeps_data:
            stream.data += frame.data
        if count:
            self.receive_window += count
            self.send(frames.WindowUpdateFrame(0, window_increment=count))
            if stream.gives_credit and "END_STREAM" not in frame.flags:
                self.credit(stream, count)
        stream.is_ended = "END_STREAM" in frame.flags

    def received_WindowUpdateFrame(self, frame):
        if frame.stream_id == 0:
            self.send_window += frame.window_increment
        elif frame.stream_id in self.streams:
            self.streams[frame.stream_id].send_window += frame.window_increment

    def received_RstStreamFrame(self, frame):
        self.stream_of(frame).reset = frame.error_code

    def received_GoAwayFrame(self, frame):
        self.goaway = (frame.error_code, frame.last_stream_id, bytes(frame.additional_data))

    def received_PingFrame(self, frame):
        if "ACK" in frame.flags:
            self.pongs.append(bytes(frame.opaque_data))
        else:
            self.send(frames.PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))

    def received_PriorityFrame(self, frame):
        pass


def tls(directory, is_client):
    """A context with the certificate in `directory`, as tunnels want it: TLS 1.3, ALPN h2, a certificate on either side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if is_client else ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(f"{directory}/chain.pem", f"{directory}/key.pem")
    context.load_verify_locations(f"{directory}/root.pem")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context


def dial(host, port, directory, settings=None, acknowledges=True):
    """A session with the peer at host and port whose settings have come."""
    raw = socket.create_connection((host, port), LIMIT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = tls(directory, True).wrap_socket(raw)
    if connection.selected_alpn_protocol() != "h2":
        raise Violation(f"ALPN chose {connection.selected_alpn_protocol()}")
    link = Link(connection, True, settings)
    link.acknowledges = acknowledges
    link.pump(lambda: link.has_settings and not link.unacknowledged)
    return link
