"""The two ends of the flood's connections, each run in a pod's network namespace.

usage: peers.py serve | peers.py call HOST PORT WORKERS PER_SECOND

`serve` echoes on the ports 7000 and 7001. `call` opens PER_SECOND connections to HOST in WORKERS tasks, less where they
take longer, sends a line on each and reads it back; for each line `round` on its standard input it answers with a line of JSON: what happened
since the last one.
"""

import asyncio
import json
import random
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve():
    for port in (7000, 7001):
        await asyncio.start_server(echo, "0.0.0.0", port, backlog=512)
    print("listening", flush=True)
    await asyncio.Event().wait()


class Caller:
    def __init__(self, host, port):
        self.host, self.port = host, port
        self.times, self.failures = [], []

    async def once(self):
        loop = asyncio.get_running_loop()
        began = loop.time()
        writer = None
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(b"question\n")
                if await reader.readline() != b"question\n":
                    raise OSError("the answer was cut")
            self.times.append(loop.time() - began)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.failures.append(repr(error))
        finally:
            if writer:
                writer.close()

    async def work(self, interval):
        loop = asyncio.get_running_loop()
        due = loop.time() + interval * random.random()
        while True:
            await asyncio.sleep(max(0, due - loop.time()))
            await self.once()
            # What was missed is not made up for: that would be a burst.
            due = max(due + interval, loop.time())

    def account(self):
        times, self.times = sorted(self.times), []
        failures, self.failures = self.failures, []
        at = lambda part: round(1000 * times[min(len(times) - 1, int(part * len(times)))], 2) if times else None
        return {"connections": len(times), "failures": len(failures), "p50_ms": at(0.5), "p99_ms": at(0.99),
                "first_failure": failures[0] if failures else None}


async def call(host, port, workers, per_second):
    caller = Caller(host, port)
    tasks = [asyncio.create_task(caller.work(workers / per_second)) for _ in range(workers)]
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)
    while await orders.readline():
        print(json.dumps(caller.account()), flush=True)
    for task in tasks:
        task.cancel()


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    asyncio.run(call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
