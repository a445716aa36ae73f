"""Holds one connection open, with a request on it every 50 ms, and says when it is closed.

usage: held-connection.py HOST PORT SECONDS

Prints `open` after the first answer, `N answers` after each, and `closed` when the connection has ended; ends with 1
if it is still open after SECONDS.
"""

import socket
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nhost: pay\r\n\r\n"


def main():
    host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    deadline = time.monotonic() + seconds
    connection = socket.create_connection((host, port), timeout=5)
    answers = 0
    while time.monotonic() < deadline:
        try:
            connection.sendall(REQUEST)
            answer = connection.recv(4096)
        except OSError as error:
            print(f"closed: {error}", flush=True)
            return 0
        if not answer:
            print("closed: end of stream", flush=True)
            return 0
        answers += 1
        if answers == 1:
            print("open", flush=True)
        print(f"{answers} answers", flush=True)
        time.sleep(0.05)
    print("still open", flush=True)
    return 1


sys.exit(main())
