"""The kinds of work of the benchmark, and how they are measured."""

import json
import statistics
import subprocess

import footprint
from candidates import HOP_PORT, SERVER_PORT
from machines import BenchError, inside

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


class Bulk:
    """CPU seconds per GiB, both directions alike."""

    unit, per = "CPU s/GiB", 1.0

    def __init__(self, streams):
        self.streams = streams

    def run(self, bench, path):
        size = GIBIBYTE // (4 if bench.options.quick else 2)
        cpu, seconds, result = path.cpu_seconds(), 0, {}
        for direction in ("down", "up"):
            before = path.cpu_seconds()
            told = client(bench, path.pod, path.address, "bulk", "--streams", self.streams, "--bytes", size,
                          "--direction", direction, port=path.port)
            seconds += told["seconds"]
            result[f"cpu_{direction}"] = (path.cpu_seconds() - before) * GIBIBYTE / size
        result["cpu"] = (path.cpu_seconds() - cpu) * GIBIBYTE / (2 * size)
        result["gib_per_second"] = 2 * size / GIBIBYTE / seconds
        return result


class Request:
    """CPU microseconds per 200 bytes and their answer, on kept connections."""

    def __init__(self, connections):
        self.connections = connections

    def run(self, bench, path):
        cpu = path.cpu_seconds()
        told = client(bench, path.pod, path.address, "request", "--connections", self.connections, "--milliseconds",
                      1000 if bench.options.quick else 2000, port=path.port)
        return {"cpu": (path.cpu_seconds() - cpu) / told["requests"] * 1e6,
                "requests_per_second": told["requests"] / told["seconds"],
                "p50_us": told["p50_ns"] / 1000, "p99_us": told["p99_ns"] / 1000}


class Connection:
    """CPU microseconds per connection with one request."""

    def run(self, bench, path):
        cpu = path.cpu_seconds()
        count = 3000 if bench.options.quick else 6000
        told = client(bench, path.pod, path.address, "connect", "--connections", count, "--concurrency", 16,
                      port=path.port)
        return {"cpu": (path.cpu_seconds() - cpu) / count * 1e6, "connections_per_second": count / told["seconds"],
                "p50_us": told["p50_ns"] / 1000, "p99_us": told["p99_ns"] / 1000}


TRAFFIC = {"bulk": Bulk(1), "bulk8": Bulk(8), "request1": Request(1), "request32": Request(32),
           "connection": Connection()}
WORKS = ["idle", *TRAFFIC, "same-node", "handshake", "rest", "control", "waypoint"]


def measure(bench, wanted, rounds):
    results = {"ratios": {}, "spread": {}}
    # First, as long as no work before it has left memory that could be used again.
    if "idle" in wanted:
        bench.say("idle connections")
        results["idle"] = footprint.idle(bench, [2000] if bench.options.quick else [2000, 8000])
        results["idle_bytes_per_connection"] = results["idle"]["meshnode"][0]["bytes_per_connection"]
    traffic = {name: TRAFFIC[name] for name in TRAFFIC if name in wanted}
    if traffic:
        paths = [Path(c.name, f"web-{c.name}", c.server, c.cpu_seconds) for c in bench.candidates]
        results["candidates"] = interleaved(bench, traffic, paths, rounds)
        results["ratios"], results["spread"] = ratios(results["candidates"], "meshnode", "envoy")
    if "same-node" in wanted:
        results["same_node"] = same_node(bench, rounds)
    if "handshake" in wanted:
        bench.say("handshakes")
        results["handshakes"] = handshakes(bench, rounds)
        results["handshake_cpu_us"] = results["handshakes"]["meshnode"]["cpu"]
    if "rest" in wanted or "control" in wanted:
        bench.say("an agent at rest")
        lone = footprint.LoneAgent(bench)
        lone.start()
        results["rest"] = lone.rest()
        results["agent_rest_rss_bytes"] = results["rest"]["rss_bytes"]
        results["rules_us_per_pod"] = results["rest"]["keeper_cpu_us_per_pod"]
        if "control" in wanted:
            bench.say("10,000 workloads")
            results["control"] = lone.control()
    if "waypoint" in wanted:
        results["waypoint"] = "there is no waypoint yet: not measured"
    return results


def same_node(bench, rounds):
    """The traffic within one node: through the agent, and through one plain relay."""
    by_name = {candidate.name: candidate for candidate in bench.candidates}
    relay, mesh = by_name["relay"], by_name["meshnode"]
    paths = [Path("relay_hop", "web-relay", relay.near, relay.hop.cpu_seconds, HOP_PORT),
             Path("meshnode", "web-meshnode", mesh.near, mesh.cpu_seconds)]
    measured = interleaved(bench, TRAFFIC, paths, rounds, " within a node")
    result, spread = ratios(measured, "meshnode", "relay_hop")
    return result | {"ratio_to": "one plain relay hop", "spread": spread, "candidates": measured}


def handshakes(bench, rounds):
    count = 200 if bench.options.quick else 400
    environment = footprint.with_aes_128(bench)
    rows = [footprint.handshakes(bench, count, environment) for _ in range(rounds)]
    return {name: {"cpu": statistics.median(row[name]["cpu"] for row in rows), "cipher": rows[0][name]["cipher"],
                   "rounds": [row[name]["cpu"] for row in rows]} for name in rows[0]}


def interleaved(bench, traffic, paths, rounds, where=""):
    """Per candidate and work what each round measured: in a round, every candidate does every work, in turns."""
    measured = {path.name: {name: [] for name in traffic} for path in paths}
    for path in paths:
        client(bench, path.pod, path.address, "request", "--connections", 32, "--milliseconds", 300, port=path.port)
    for number in range(rounds):
        for name, work in traffic.items():
            for path in paths:
                measured[path.name][name].append(work.run(bench, path))
        bench.say(f"round {number + 1} of {rounds}{where}")
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
