"""The kinds of work of the benchmark, and how they are measured."""

import json
import statistics
import subprocess

import footprint
from candidates import HOP_PORT, SERVER_PORT
from machines import BenchError, inside, run

GIBIBYTE = 1 << 30


def client(bench, pod, address, work, *options, port=SERVER_PORT):
    """What one run of the client in `pod` has to tell."""
    done = subprocess.run(inside(pod, bench.load, work, "--to", f"{address}:{port}", *map(str, options)),
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise BenchError(f"the client of {work} in {pod}: {done.stderr.strip()}")
    told = json.loads(done.stdout)
    if told["failures"]:
        raise BenchError(f"{work} in {pod}: {told['failures']} failures, the first: {told['first_failure']}")
    return told


class Path:
    """From a client in a pod to a server, and what is between them."""

    def __init__(self, name, pod, address, cpu_seconds, port=SERVER_PORT):
        self.name, self.pod, self.address, self.cpu_seconds, self.port = name, pod, address, cpu_seconds, port

    def measure(self, bench, work, *options):
        """What the client tells, and the CPU seconds of each side meanwhile."""
        before = self.cpu_seconds()
        told = client(bench, self.pod, self.address, work, *options, port=self.port)
        return told, [after - earlier for after, earlier in zip(self.cpu_seconds(), before)]


def cost(sides, count):
    """CPU of all sides together, and of each, per one of `count`."""
    return {"cpu": sum(sides) / count, "cpu_client_side": sides[0] / count, "cpu_server_side": sides[-1] / count}


class Bulk:
    """CPU seconds per GiB, both directions alike."""

    def __init__(self, streams):
        self.streams = streams

    def run(self, bench, path):
        size = GIBIBYTE // (4 if bench.options.quick else 2)
        seconds, spent, result = 0, None, {}
        for direction in ("down", "up"):
            told, sides = path.measure(bench, "bulk", "--streams", self.streams, "--bytes", size, "--direction", direction)
            seconds += told["seconds"]
            result[f"cpu_{direction}"] = sum(sides) * GIBIBYTE / size
            spent = [a + b for a, b in zip(spent, sides)] if spent else sides
        return cost(spent, 2 * size / GIBIBYTE) | result | {"gib_per_second": 2 * size / GIBIBYTE / seconds}


class Request:
    """CPU microseconds per 200 bytes and their answer, on kept connections."""

    def __init__(self, connections):
        self.connections = connections

    def run(self, bench, path):
        told, sides = path.measure(bench, "request", "--connections", self.connections, "--milliseconds",
                                   1000 if bench.options.quick else 2000)
        return cost(sides, told["requests"] / 1e6) | {
            "requests_per_second": told["requests"] / told["seconds"],
            "p50_us": told["p50_ns"] / 1000, "p99_us": told["p99_ns"] / 1000}


class Connection:
    """CPU microseconds per connection with one request."""

    def run(self, bench, path):
        count = 3000 if bench.options.quick else 6000
        told, sides = path.measure(bench, "connect", "--connections", count, "--concurrency", 16)
        return cost(sides, count / 1e6) | {
            "connections_per_second": count / told["seconds"],
            "p50_us": told["p50_ns"] / 1000, "p99_us": told["p99_ns"] / 1000}


TRAFFIC = {"bulk": Bulk(1), "bulk8": Bulk(8), "request1": Request(1), "request32": Request(32),
           "connection": Connection()}
WORKS = ["idle", "rest", "control", *TRAFFIC, "same-node", "handshake", "waypoint"]


def measure(bench, wanted, rounds):
    """Everything that was wanted, in this order. A kind of work that fails does not take the others with it."""
    results = {"ratios": {}, "spread": {}, "failed": {}}
    # First what looks at memory, before other work leaves some that could be used again, and thousands of lingering
    # connections in the kernel's table.
    kinds = [("idle", idle), ("rest", rest), ("control", control), ("between two nodes", between_nodes),
             ("same-node", same_node), ("handshake", handshakes), ("waypoint", waypoint)]
    for name, kind in kinds:
        if name in wanted or name == "between two nodes" and set(wanted) & set(TRAFFIC):
            bench.say(name)
            if name not in ("rest", "control"):
                bench.end_lone_agent()
            try:
                results |= kind(bench, wanted, rounds)
            except (BenchError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                bench.say(f"{name} FAILED: {error!r}")
                results["failed"][name] = str(error) or repr(error)
    return results


def idle(bench, wanted, rounds):
    told = footprint.idle(bench, [2000] if bench.options.quick else [2000, 8000])
    return {"idle": told, "idle_bytes_per_connection": told["meshnode"][0]["bytes_per_connection"]}


def between_nodes(bench, wanted, rounds):
    traffic = {name: TRAFFIC[name] for name in TRAFFIC if name in wanted}
    paths = [Path(c.name, f"web-{c.name}", c.server, c.cpu_seconds) for c in bench.candidates]
    measured = interleaved(bench, traffic, paths, rounds)
    result, spread = ratios(measured, "meshnode", "envoy")
    told = {"candidates": measured, "ratios": result, "spread": spread, "limits": limits(measured)}
    if "baseline" in measured:
        result, spread = ratios(measured, "meshnode", "baseline")
        told["baseline"] = {"ratios": result, "spread": spread}
    return told


def same_node(bench, wanted, rounds):
    """The traffic within one node: through the agent, and through one plain relay."""
    by_name = {candidate.name: candidate for candidate in bench.candidates}
    relay, mesh = by_name["relay"], by_name["meshnode"]
    paths = [Path("relay_hop", "web-relay", relay.near, lambda: [relay.hop.cpu_seconds()], HOP_PORT),
             Path("meshnode", "web-meshnode", mesh.near, lambda: [sum(mesh.cpu_seconds())])]
    measured = interleaved(bench, TRAFFIC, paths, rounds)
    result, spread = ratios(measured, "meshnode", "relay_hop")
    return {"same_node": result | {"ratio_to": "one plain relay hop", "spread": spread, "candidates": measured}}


def handshakes(bench, wanted, rounds):
    count = 200 if bench.options.quick else 400
    environment = footprint.with_aes_128(bench)
    rows = [footprint.handshakes(bench, count, environment) for _ in range(rounds)]
    told = {name: {"cpu": statistics.median(row[name]["cpu"] for row in rows), "cipher": rows[0][name]["cipher"],
                   "rounds": [row[name]["cpu"] for row in rows]} for name in rows[0]}
    return {"handshakes": told, "handshake_cpu_us": told["meshnode"]["cpu"]}


def rest(bench, wanted, rounds):
    told = bench.lone_agent().rest()
    return {"rest": told, "agent_rest_rss_bytes": told["rss_bytes"], "rules_us_per_pod": told["keeper_cpu_us_per_pod"]}


def control(bench, wanted, rounds):
    return {"control": bench.lone_agent().control()}


def waypoint(bench, wanted, rounds):
    return {"waypoint": "there is none yet, so nothing was measured"}


def limits(measured):
    """How close it comes to what cannot be saved: the copying of a plain relay, and encrypting and decrypting once."""
    result = {}
    ours, relay = measured["meshnode"], measured["relay"]
    if "bulk" in ours:
        crypto = seconds_per_gibibyte()
        result["crypto_cpu_s_per_gib"] = crypto
        result["bulk_to_relay_and_crypto"] = ours["bulk"]["cpu"] / (relay["bulk"]["cpu"] + 2 * crypto)
    if "request32" in ours:
        result["request32_to_relay"] = ours["request32"]["cpu"] / relay["request32"]["cpu"]
    return result


def seconds_per_gibibyte():
    """CPU that AES-128-GCM takes in records of 16 KiB, as `openssl speed` has it."""
    told = run("openssl", "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "aes-128-gcm")
    speed = float(next(line for line in told.splitlines() if line.startswith("+F:")).split(":")[-1])
    return GIBIBYTE / speed


def interleaved(bench, traffic, paths, rounds):
    """Per candidate and work what each round measured: in a round, every candidate does every work, in turns. Each
    round begins with another, so that nobody always comes after the same one."""
    measured = {path.name: {name: [] for name in traffic} for path in paths}
    for path in paths:
        client(bench, path.pod, path.address, "request", "--connections", 32, "--milliseconds", 300, port=path.port)
    for number in range(rounds):
        for name, work in traffic.items():
            first = number % len(paths)
            for path in paths[first:] + paths[:first]:
                measured[path.name][name].append(work.run(bench, path))
        bench.say(f"round {number + 1} of {rounds}")
    return {path: {name: {"rounds": rows} | medians(rows) for name, rows in of.items()} for path, of in measured.items()}


def medians(rows):
    return {field: statistics.median(row[field] for row in rows) for field in rows[0]}


# The ratios that the goals are about: name, work, field.
RATIOS = [("bulk_cpu", "bulk", "cpu"), ("bulk8_cpu", "bulk8", "cpu"), ("request1_cpu", "request1", "cpu"),
          ("request32_cpu", "request32", "cpu"), ("request32_p99", "request32", "p99_us"),
          ("connection_cpu", "connection", "cpu"), ("connections_per_second", "connection", "connections_per_second")]


def ratios(measured, ours, theirs):
    """Medians of the ratios of each round, and their spread."""
    result, spread = {}, {}
    for name, work, field in RATIOS:
        if work not in measured[ours]:
            continue
        pairs = [a[field] / b[field] for a, b in zip(measured[ours][work]["rounds"], measured[theirs][work]["rounds"])]
        result[name] = statistics.median(pairs)
        spread[name] = {"min": min(pairs), "max": max(pairs)}
    return result, spread
