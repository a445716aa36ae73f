"""Memory and what it costs to capture: idle connections, an agent at rest, 10,000 workloads."""

import json
import os
import time
import urllib.request

from candidates import ask, namespace, pod, processes_of, put
from machines import BenchError, in_namespace, inside, memory_of, run, settled, until

PODS = 50
WORKLOADS, PER_FILE = 10_000, 100
HANDSHAKES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handshakes.py")
CONTROLLER = "127.0.0.1:15012"


def idle(bench, counts):
    """How much the proxies of a candidate grow per idle connection that has carried one request."""
    result = {}
    for candidate in bench.candidates:
        if candidate.name in ("envoy", "meshnode", "baseline"):
            first = hold(bench, candidate, 64)
            before = memory_of_all(candidate)
            result[candidate.name] = [idle_of(bench, candidate, count, before) for count in counts]
            bench.machines.end(first)
    return result


def idle_of(bench, candidate, count, before):
    """`before` is from before any count: what a larger one finds free is from the smaller one before it."""
    holder = hold(bench, candidate, count)
    after = memory_of_all(candidate)
    bench.machines.end(holder)
    time.sleep(1)
    # Anonymous memory is the figure: pages of the program itself come and go meanwhile, in either direction.
    return {"connections": count, "rss_before_bytes": before["Rss"], "rss_after_bytes": after["Rss"],
            "bytes_per_connection": (after["Anonymous"] - before["Anonymous"]) / count,
            "rss_bytes_per_connection": (after["Rss"] - before["Rss"]) / count}


def memory_of_all(candidate):
    return {"Anonymous": settled(lambda: candidate.memory("Anonymous")), "Rss": candidate.memory("Rss")}


def hold(bench, candidate, count):
    process = bench.machines.spawn(f"web-{candidate.name}", [bench.load, "idle", "--to", f"{candidate.server}:7000",
                                                            "--connections", str(count)])
    told = json.loads(process.stdout.readline() or "{}")
    if told.get("connections") != count:
        raise BenchError(f"idle connections through {candidate.name}: {told.get('failures')} of {count} failed, the "
                         f"first: {told.get('first_failure')}")
    return process


class LoneAgent:
    """An agent with a controller, in a mesh of its own on node c."""

    def __init__(self, bench):
        self.bench, self.machines = bench, bench.machines
        self.manifests = f"{bench.work}/manifests-c"
        self.pids, self.agents = {}, []

    def end(self):
        for agent in self.agents:
            self.machines.end(agent)

    def start(self):
        os.mkdir(self.manifests)
        put(self.manifests, "namespaces.yaml", [namespace("shop"), namespace("far", mesh="disabled")])
        self.machines.namespace("c")
        for number in range(PODS):
            self.machines.make_pod(f"rest-{number}", "c", self.address(number))
        self.start_agent("c", "--config", self.manifests, "--ca-directory", f"{self.bench.work}/ca-c", "--listen",
                         CONTROLLER)
        self.wait("c", 0)

    def start_agent(self, node, *options):
        agent = self.machines.spawn(
            "c", [self.bench.binary, "agent", "--node", f"node-{node}", "--run-directory",
                  f"{self.bench.work}/run-{node}", "--loops", "1", "--drain-deadline", "1s", *options],
            log=f"{self.bench.work}/agent-{node}.log")
        self.agents.append(agent)
        second = "embedded-controller" if node == "c" else "subscriber"
        until("the agent has its processes", 20, lambda: {"worker", second} <= set(processes_of(agent)))
        self.pids[node] = processes_of(agent)

    def wait(self, node, captured):
        def is_so():
            status = ask(self.bench.binary, f"{self.bench.work}/run-{node}", "status", "--local")
            return status and status["agent"]["isReady"] and status["pods"].get("captured", 0) == captured

        until(f"the agent of node {node} is ready", 60, is_so)

    @staticmethod
    def address(number):
        return f"10.252.3.{number + 10}"

    def rest(self):
        """What it costs to capture a pod, and the memory with all of them."""
        keeper = self.pids["c"]["keeper"]
        before = cpu_nanoseconds(keeper)
        put(self.manifests, "pods.yaml", [pod(f"rest-{n}", "shop", "node-c", self.address(n)) for n in range(PODS)])
        self.wait("c", PODS)
        spent = cpu_nanoseconds(keeper) - before
        # At rest is who has been quiet for some seconds, and has given back what only its work needed.
        time.sleep(8)
        both = [self.pids["c"][role] for role in ("keeper", "worker")]
        return {"pods": PODS, "keeper_cpu_us_per_pod": spent / 1000 / PODS,
                "rss_bytes": settled(lambda: sum(memory_of(pid) for pid in both)),
                "pss_bytes": settled(lambda: sum(memory_of(pid, "Pss") for pid in both)),
                "private_bytes": settled(lambda: sum(memory_of(pid, "Private_Dirty") for pid in both)),
                "processes": self.memory("c")}

    def memory(self, node):
        return {role: {"rss_bytes": memory_of(pid), "pss_bytes": memory_of(pid, "Pss")}
                for role, pid in self.pids[node].items()}

    # --- 10,000 workloads

    def control(self):
        token = f"{self.bench.work}/token-d"
        with open(token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(run(self.bench.binary, "token", "create", "--node", "node-d", "--ca-directory",
                           f"{self.bench.work}/ca-c"))
        self.start_agent("d", "--controller", CONTROLLER, "--join-token", token, "--state-directory",
                         f"{self.bench.work}/state-d", "--metrics-port", "16020", "--readiness-port", "16021")
        self.wait("d", 0)
        small = {node: self.memory(node) for node in "cd"}
        begin = time.monotonic()
        for first in range(0, WORKLOADS, PER_FILE):
            put(self.manifests, f"far-{first}.yaml", [self.far(n) for n in range(first, first + PER_FILE)])
        until("both agents know all workloads", 120, lambda: all(self.knows(node, WORKLOADS) for node in "cd"))
        took = time.monotonic() - begin
        time.sleep(2)
        return {"workloads": WORKLOADS, "seconds_until_known": took, "memory_before": small,
                "memory": {node: self.memory(node) for node in "cd"},
                "change_ms": sorted(self.time_change(turn) for turn in range(5))}

    @staticmethod
    def far(number, ready=True):
        return pod(f"far-{number}", "far", "node-far", f"10.253.{number // 250}.{number % 250 + 1}", ready=bool(ready))

    def knows(self, node, count):
        listed = ask(self.bench.binary, f"{self.bench.work}/run-{node}", "workloads")
        return listed and len(listed["items"]) >= count

    def version(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("meshnode_config_version"):
                    return float(line.split()[-1])
        return None

    def time_change(self, turn):
        """Milliseconds from a pod's change in its file until both workers have it."""
        text = [self.far(n, ready=n > 0 or turn % 2) for n in range(PER_FILE)]

        def watch():
            ports = (15020, 16020)
            before = [self.version(port) for port in ports]
            begin = time.monotonic()
            put(self.manifests, "far-0.yaml", text)
            while any(self.version(port) == old for port, old in zip(ports, before)):
                if time.monotonic() - begin > 30:
                    return None
                time.sleep(0.002)
            return (time.monotonic() - begin) * 1000

        took = in_namespace("c", watch)
        if took is None:
            raise BenchError("a change did not reach both agents within 30 s")
        time.sleep(0.5)
        return round(took, 1)


def cpu_nanoseconds(pid):
    """What the threads of a process have run: /proc/PID/task/TID/schedstat, finer than the ticks of stat."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def handshakes(bench, count, environment=None):
    """CPU microseconds of the side that accepts a new mTLS session, and the cipher that was chosen."""
    result = {}
    for candidate in bench.candidates:
        if candidate.name in ("envoy", "meshnode", "baseline"):
            side = candidate.cgroups[1]
            before = side.cpu_seconds()
            # From the node, where nothing is captured.
            cipher = run(*inside("a", "/usr/bin/python3", HANDSHAKES, bench.authority.directory, candidate.server,
                                 "15008", str(count)), env=environment)
            result[candidate.name] = {"cpu": (side.cpu_seconds() - before) / count * 1e6, "cipher": cipher.strip()}
    return result


def with_aes_128(bench):
    """The environment in which a client of OpenSSL offers what the candidates use between themselves."""
    path = f"{bench.work}/openssl.cnf"
    with open(path, "w") as file:
        file.write("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
                   "[tls]\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = X25519\n")
    return {"PATH": os.environ["PATH"], "OPENSSL_CONF": path}
