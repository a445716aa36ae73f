"""The applications behind the mesh, each on a port of its own.

usage: peer.py FILE

    7000  echo            what comes goes back, to the end
    7001  source          sends FILE, then closes its direction
    7002  sink            reads to the end, then answers with the count of the bytes and their SHA-256
    7003  early end       says a word and closes its direction, and reads on: prints what it has read at the end
    7004  cut             reads a line, then resets the connection
    7005  deaf            accepts, and never reads

Prints `listening` when it does.
"""

import hashlib
import selectors
import socket
import struct
import sys
import threading

BUFFER = 1 << 18


def chunks(connection):
    buffer = bytearray(BUFFER)
    while count := connection.recv_into(buffer):
        yield memoryview(buffer)[:count]


def echo(connection):
    for chunk in chunks(connection):
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)


def source(connection):
    with open(sys.argv[1], "rb") as file:
        connection.sendfile(file)
    connection.shutdown(socket.SHUT_WR)
    # Until the client has taken it all and closes.
    for _ in chunks(connection):
        pass


def digest(connection):
    total, sha = 0, hashlib.sha256()
    for chunk in chunks(connection):
        total += len(chunk)
        sha.update(chunk)
    return f"{total} {sha.hexdigest()}"


def sink(connection):
    connection.sendall(f"{digest(connection)}\n".encode())


def early_end(connection):
    connection.sendall(b"goodbye\n")
    connection.shutdown(socket.SHUT_WR)
    print("early end, then read", digest(connection), flush=True)


def cut(connection):
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


kept = []


def deaf(connection):
    kept.append(connection.dup())


def serve(application, connection):
    try:
        with connection:
            application(connection)
    except OSError as error:
        print(f"{application.__name__}: {error!r}", flush=True)


def main():
    threading.stack_size(256 << 10)
    selector = selectors.DefaultSelector()
    for port, application in enumerate((echo, source, sink, early_end, cut, deaf), 7000):
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        selector.register(listener, selectors.EVENT_READ, application)
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            connection, _ = key.fileobj.accept()
            threading.Thread(target=serve, args=(key.data, connection), daemon=True).start()


main()
