"""Opens mTLS sessions to an agent one after the other and closes each once it is in use.

usage: handshakes.py DIRECTORY ADDRESS PORT COUNT      DIRECTORY has web.pem, web.key and root.pem
"""

import socket
import ssl
import sys

# The client's side of an HTTP/2 connection (RFC 9113 section 3.4): the preface and empty SETTINGS.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"

directory, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.load_cert_chain(f"{directory}/web.pem", f"{directory}/web.key")
context.load_verify_locations(f"{directory}/root.pem")
context.set_alpn_protocols(["h2"])
cipher = None
for _ in range(count):
    with socket.create_connection((address, port), 5) as plain, context.wrap_socket(plain) as session:
        session.sendall(PREFACE)
        # With TLS 1.3 the client is done before the server has looked at its certificate: the answer tells.
        if not session.recv(9):
            sys.exit("the session was closed")
        cipher = session.cipher()[0]
print(cipher)
