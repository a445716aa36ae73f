"""What meshnode's data plane costs, beside Envoy's; see hack/bench.sh."""

import argparse
import fcntl
import json
import os
import signal
import sys
import tempfile
import time

import footprint
import plot
import report
import works
from candidates import Baseline, Candidate, Envoy, Meshnode, Relay
from certificates import Authority
from machines import BenchError, Cgroups, Machines, remove_leftovers


class Bench:
    """What the kinds of work share."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.binary, self.load, self.envoy = options.binary, options.load, options.envoy
        self.machines, self.cgroups = Machines(options.congestion_control), Cgroups()
        self.candidates, self.lone = [], None
        self.load_before = os.getloadavg()[0]

    def start(self):
        remove_leftovers()
        self.machines.make_nodes()
        authority = f"{self.work}/authority"
        os.mkdir(authority, 0o700)
        self.authority = Authority(authority)
        self.authority.workload("web", "shop")
        self.authority.workload("api", "pay")
        os.link(self.authority.path("root.crt"), self.authority.path("root.pem"))
        for kind in (Candidate, Relay, Envoy, Meshnode, *([Baseline] if self.options.baseline else [])):
            candidate = kind(self)
            self.candidates.append(candidate)
            begin = time.monotonic()
            candidate.start()
            self.say(f"{candidate.name} is up after {time.monotonic() - begin:.1f} s")

    def lone_agent(self):
        """An agent in a mesh of its own, started when it is first asked for."""
        if not self.lone:
            self.lone = footprint.LoneAgent(self)
            self.lone.start()
        return self.lone

    def end_lone_agent(self):
        if self.lone:
            self.lone.end()
            self.lone = None

    def ciphers(self):
        """What each uses, by its own log or as its acceptor chooses when all are offered."""
        envoy = next(candidate for candidate in self.candidates if candidate.name == "envoy")
        return {"envoy": envoy.cipher(), "meshnode": footprint.handshakes(self, 1)["meshnode"]["cipher"]}

    def remove(self):
        self.machines.remove()
        self.cgroups.remove()

    def say(self, text):
        print(text, flush=True)


def arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--binary", "--load", "--envoy"):
        parser.add_argument(name, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=list(works.WORKS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--baseline")
    parser.add_argument("--congestion-control")
    parser.add_argument("--json")
    parser.add_argument("--plot")
    return parser.parse_args()


def main():
    options = arguments()
    rounds = options.rounds or (3 if options.quick else 5)
    wanted = options.only or list(works.WORKS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    alone = wait_until_alone()
    begin = time.monotonic()
    with alone, tempfile.TemporaryDirectory(prefix="mn-bench-", ignore_cleanup_errors=True) as work:
        os.chmod(work, 0o755)
        bench = Bench(options, work)
        try:
            bench.start()
            results = works.measure(bench, wanted, rounds)
            results["environment"] = report.environment(bench)
            results["environment"]["rounds"] = rounds
            if results["failed"]:
                show_logs(work)
        except Exception:
            show_logs(work)
            raise
        finally:
            bench.remove()
    results["seconds"] = round(time.monotonic() - begin)
    print(report.table(results))
    if options.plot:
        if results["ratios"]:
            with open(options.plot, "w") as file:
                file.write(plot.svg(results))
        else:
            print("nothing to plot: no ratio to Envoy was measured", file=sys.stderr)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=2)
            file.write("\n")
    for name, why in results["failed"].items():
        print(f"hack/bench.sh: {name} failed: {why}", file=sys.stderr)
    return 1 if results["failed"] else 0


def wait_until_alone():
    """The lock of the one benchmark that runs. Two would disturb each other, and have the same addresses, by which an
    agent finds the namespaces of its pods."""
    lock = open("/run/mn-bench.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another benchmark runs; waiting for its end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def show_logs(work):
    """How the logs end, without the connections."""
    for name in ("meshnode/agent-a.log", "meshnode/agent-b.log", "baseline/agent-a.log", "baseline/agent-b.log", "agent-c.log",
                 "agent-d.log", "envoy/outbound.log", "envoy/inbound.log"):
        path = f"{work}/{name}"
        if os.path.exists(path):
            with open(path, errors="replace") as file:
                lines = [line for line in file if "scope=access" not in line or "error=" in line]
            print(f"--- the end of {name}\n{''.join(lines[-8:])}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"hack/bench.sh: {error}")
