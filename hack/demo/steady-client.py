"""Opens a connection every few milliseconds, makes one small HTTP request on each, and counts what went wrong.

usage: steady-client.py HOST PORT SECONDS [CONNECTIONS_PER_SECOND]

Prints `ready` once 50 requests were answered, and a line of JSON at the end, which is after SECONDS or at SIGTERM:
attempts, answered, refused (connect() failed), reset (accepted, then cut), hung (no end within 5 s),
longest_gap_ms (the longest time in which no request was answered).
"""

import asyncio
import json
import signal
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nhost: pay\r\nconnection: close\r\n\r\n"
GRACE_IN_SECONDS = 5


class Tally:
    def __init__(self):
        self.attempts = self.answered = self.refused = self.reset = 0
        self.longest_gap = 0.0
        self.last_answer = time.monotonic()
        self.first_error = None

    def note_answer(self):
        now = time.monotonic()
        # The first answers may wait for the first tunnel: the gap is counted from the moment we are ready.
        if self.answered >= 50:
            self.longest_gap = max(self.longest_gap, now - self.last_answer)
        self.last_answer = now
        self.answered += 1
        if self.answered == 50:
            print("ready", flush=True)

    def note_error(self, error):
        if self.first_error is None:
            self.first_error = repr(error)


async def attempt(host, port, tally):
    tally.attempts += 1
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except ConnectionResetError as error:
        # Accepted by the kernel, and cut before we have looked: a connect that is refused says ECONNREFUSED.
        tally.reset += 1
        tally.note_error(error)
        return
    except OSError as error:
        tally.refused += 1
        tally.note_error(error)
        return
    try:
        writer.write(REQUEST)
        answer = await reader.read()
        if answer.startswith(b"HTTP/1.1 200"):
            tally.note_answer()
        else:
            tally.reset += 1
    except OSError as error:
        tally.reset += 1
        tally.note_error(error)
    finally:
        writer.close()


async def main():
    host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    interval = 1 / (float(sys.argv[4]) if len(sys.argv) > 4 else 200)
    tally = Tally()
    asked_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_end.set)
    tasks = set()
    start = time.monotonic()
    count = 0
    while (now := time.monotonic()) < start + seconds and not asked_to_end.is_set():
        task = asyncio.create_task(attempt(host, port, tally))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        count += 1
        await asyncio.sleep(max(0, start + count * interval - now))
    # What is still open at the end gets its time, and does not count as a gap.
    hung = 0
    if tasks:
        _, pending = await asyncio.wait(set(tasks), timeout=GRACE_IN_SECONDS)
        hung = len(pending)
        for task in pending:
            task.cancel()
    print(
        json.dumps(
            {
                "attempts": tally.attempts,
                "answered": tally.answered,
                "refused": tally.refused,
                "reset": tally.reset,
                "hung": hung,
                "longest_gap_ms": round(tally.longest_gap * 1000),
                "first_error": tally.first_error,
            }
        ),
        flush=True,
    )


asyncio.run(main())
