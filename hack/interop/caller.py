"""The clients in front of the mesh; the applications are those of peer.py.

usage: caller.py requests HOST PORT CONNECTIONS COUNT   COUNT questions of 200 bytes on each of so many connections
       caller.py hold HOST PORT CONNECTIONS FILE        opens them, says `open`, and uses them again once FILE is there
       caller.py churn HOST PORT WORKERS                one short connection after the other, until SIGTERM
       caller.py steady HOST PORT                       one question after the other on one connection, until SIGTERM
       caller.py upload HOST PORT FILE                  FILE to the sink
       caller.py download HOST PORT [quiet]             all of the source; quiet: after closing our own direction
       caller.py late HOST PORT BYTES                   speaks on after the application has said its last word
       caller.py refused HOST PORT                      a connection that must not get through: reset, or closed

The last line of the output is what happened; the exit status is 0 if all of it is as it should be.
"""

import asyncio
import hashlib
import os
import signal
import socket
import sys
import time

LIMIT = 30


class Conversation:
    """One connection to an application that echoes."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    @classmethod
    async def open(cls, host, port):
        self = cls()
        self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection(host, port), LIMIT)
        return self

    async def ask(self, size=200):
        question = os.urandom(size)
        self.writer.write(question)
        answer = await asyncio.wait_for(self.reader.readexactly(size), LIMIT)
        if answer != question:
            raise OSError("the answer is another one")

    async def end(self):
        self.writer.write_eof()
        if rest := await asyncio.wait_for(self.reader.read(), LIMIT):
            raise OSError(f"{len(rest)} bytes too many")


async def requests(host, port, connections, count):
    times = []

    async def one():
        async with await Conversation.open(host, port) as conversation:
            for _ in range(count):
                began = time.monotonic()
                await conversation.ask()
                times.append(time.monotonic() - began)
            await conversation.end()

    await asyncio.gather(*(one() for _ in range(connections)))
    times.sort()
    return f"{len(times)} answers on {connections} connections, median {1000 * times[len(times) // 2]:.2f} ms"


async def hold(host, port, connections, file):
    conversations = await asyncio.gather(*(Conversation.open(host, port) for _ in range(connections)))
    await asyncio.gather(*(conversation.ask() for conversation in conversations))
    print("open", flush=True)
    deadline = time.monotonic() + LIMIT
    while not os.path.exists(file):
        if time.monotonic() > deadline:
            raise OSError(f"no {file}")
        await asyncio.sleep(0.02)
    await asyncio.gather(*(conversation.ask(4096) for conversation in conversations))
    await asyncio.gather(*(conversation.end() for conversation in conversations))
    return f"{connections} connections at a time"


def until_told():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print("ready", flush=True)
    return told


async def churn(host, port, workers):
    told, count, failures = until_told(), 0, []

    async def work():
        nonlocal count
        while not told.is_set():
            try:
                async with await Conversation.open(host, port) as conversation:
                    await conversation.ask()
                    await conversation.end()
                count += 1
            except (OSError, EOFError, TimeoutError) as error:
                failures.append(repr(error))
            await asyncio.sleep(0.005)

    await asyncio.gather(*(work() for _ in range(workers)))
    if failures:
        raise OSError(f"{len(failures)} of {count + len(failures)} connections failed, the first: {failures[0]}")
    if count == 0:
        raise OSError("no connection was made")
    return f"{count} connections, none failed"


async def steady(host, port):
    conversation, count, told = await Conversation.open(host, port), 0, until_told()
    while not told.is_set():
        try:
            await conversation.ask(64)
        except (OSError, EOFError, TimeoutError) as error:
            raise OSError(f"after {count} answers: {error!r}") from None
        count += 1
        await asyncio.sleep(0.005)
    await conversation.end()
    return f"{count} answers on one connection"


def upload(host, port, file):
    # Counted here as it goes out, not taken from what somebody else says of the file.
    sha, total = hashlib.sha256(), 0
    with socket.create_connection((host, port), LIMIT) as connection, open(file, "rb") as content:
        while chunk := content.read(1 << 18):
            connection.sendall(chunk)
            sha.update(chunk)
            total += len(chunk)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile().readline().strip()
        if connection.recv(1):
            raise OSError("more than one answer")
    if answer != f"{total} {sha.hexdigest()}":
        raise OSError(f"sent {total} {sha.hexdigest()}, the application read {answer!r}")
    return f"sha256 {sha.hexdigest()} {total}"


def download(host, port, how="open"):
    sha, total, buffer = hashlib.sha256(), 0, bytearray(1 << 18)
    with socket.create_connection((host, port), LIMIT) as connection:
        # An Envoy whose application ends first throws away what it has not sent yet.
        if how == "quiet":
            connection.shutdown(socket.SHUT_WR)
        while count := connection.recv_into(buffer):
            sha.update(memoryview(buffer)[:count])
            total += count
    return f"sha256 {sha.hexdigest()} {total}"


def late(host, port, count):
    content = os.urandom(count)
    with socket.create_connection((host, port), LIMIT) as connection:
        said = connection.makefile("rb").read()
        if said != b"goodbye\n":
            raise OSError(f"the application's last word was {said!r}")
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
    return f"early end, then read {count} {hashlib.sha256(content).hexdigest()}"


def refused(host, port):
    began, how = time.monotonic(), "closed"
    try:
        with socket.create_connection((host, port), LIMIT) as connection:
            connection.sendall(b"question\n")
            if said := connection.recv(100):
                raise ValueError(f"it was answered: {said!r}")
    except ConnectionRefusedError:
        raise
    except ConnectionError as error:
        # It may come before we have looked at the connect's result.
        how = type(error).__name__
    return f"{how} after {1000 * (time.monotonic() - began):.0f} ms"


def main():
    command, host, port, *rest = sys.argv[1:]
    function = {f.__name__: f for f in (requests, hold, churn, steady, upload, download, late, refused)}[command]
    arguments = [int(text) if text.isdigit() else text for text in (port, *rest)]
    try:
        result = function(host, *arguments)
        print(asyncio.run(result) if asyncio.iscoroutine(result) else result, flush=True)
    except (OSError, EOFError, ValueError) as error:
        sys.exit(f"failed: {error or repr(error)}")


main()
