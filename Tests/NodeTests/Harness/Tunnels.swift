/// What plays a peer on port 15008: TLS of the standard library, and HTTP/2 by hand.
enum Tunnels {
    /// Python after `Python.prelude`.
    static let prelude = #"""
        def tls(host, chain=None, key=None, alpn=("h2",), maximum=None):
            """A client that trusts everyone."""
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(list(alpn))
            if maximum:
                context.maximum_version = maximum
            if chain:
                context.load_cert_chain(chain, key)
            return context.wrap_socket(connect(host, 15008))

        def how_it_ends(host, **options):
            """alert, eof or reset; "data" if the other side speaks HTTP/2 to us, so we were let in."""
            try:
                c = tls(host, **options)
                data = c.recv(1)
                return "data" if data else "eof"
            except ssl.SSLEOFError:
                return "eof"
            except ssl.SSLError as problem:
                return "alert"
            except ConnectionResetError:
                return "reset"

        def frame(kind, flags, stream, payload):
            return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

        def fields(pairs):
            """HPACK, RFC 7541 6.2.2: literals without indexing, names and values as they are."""
            def text(value):
                value = value.encode()
                if len(value) < 127:
                    return bytes([len(value)]) + value
                rest, out = len(value) - 127, bytearray([127])
                while rest >= 128:
                    out.append(rest % 128 + 128)
                    rest //= 128
                return bytes(out) + bytes([rest]) + value
            return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)

        def status(block):
            """The :status at the start of a header block: indexed or literal (RFC 7541, appendices A and B)."""
            known = {0x88: "200", 0x8c: "400", 0x8d: "404", 0x8e: "500"}
            while block and block[0] & 0xe0 == 0x20:
                block = block[1:]
            if block[0] in known:
                return known[block[0]]
            size = block[1] & 0x7f
            value = block[2:2 + size]
            if not block[1] & 0x80:
                return value.decode()
            bits, out = "".join("{:08b}".format(b) for b in value), ""
            while len(bits) >= 5:
                if bits[:5] in ("00000", "00001", "00010"):
                    out += str(int(bits[:5], 2)); bits = bits[5:]
                elif len(bits) >= 6 and bits[:2] == "01":
                    out += str(int(bits[:6], 2) - 22); bits = bits[6:]
                else:
                    break
            return out

        def read_exactly(c, count):
            data = b""
            while len(data) < count:
                more = c.recv(count - len(data))
                if not more:
                    raise EOFError
                data += more
            return data

        def frames(c):
            """(kind, flags, stream, payload) until the connection ends; acknowledges SETTINGS and PING."""
            while True:
                try:
                    head = read_exactly(c, 9)
                    kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
                    payload = read_exactly(c, struct.unpack(">I", b"\0" + head[:3])[0])
                except socket.timeout:
                    raise
                except (EOFError, OSError):
                    return
                if kind in (4, 6) and not flags & 1:
                    c.sendall(frame(kind, 1, 0, b"" if kind == 4 else payload))
                yield kind, flags, stream, payload

        PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")

        def ask(host, pairs, chain, key, data=b"", ends=False):
            """One request with DATA right behind it: its status, or how the stream or the connection ended."""
            c = tls(host, chain, key)
            message = PREFACE + frame(1, 4, 1, fields(pairs))
            if data or ends:
                message += frame(0, 1 if ends else 0, 1, data)
            c.sendall(message)
            for kind, flags, stream, payload in frames(c):
                if stream == 1 and kind == 1:
                    return status(payload), c
                if stream == 1 and kind == 3:
                    return "reset %d" % struct.unpack(">I", payload)[0], c
                if kind == 7:
                    return "goaway %d" % struct.unpack(">I", payload[4:8])[0], c
            return "closed", c

        def body(c):
            """The rest of stream 1."""
            data = b""
            for kind, flags, stream, payload in frames(c):
                if stream == 1 and kind == 0:
                    data += payload
                if stream == 1 and (kind == 3 or flags & 1):
                    break
            return data
        """#
}
