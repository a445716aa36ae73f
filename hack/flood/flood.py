"""Two agents, a client, and a directory of pods that change all the time; see hack/flood.sh."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = f"mn-flood-{os.getpid()}-"
PYTHON = "/usr/bin/python3"
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.py")
CONTROLLER = "10.250.0.1:15012"
PODS = {"web": ("a", "10.250.1.10", "shop"), "api": ("b", "10.250.2.10", "pay")}
PODS_PER_FILE = 100


def inside(name, *command):
    return ["/usr/bin/nsenter", f"--net=/run/netns/{PREFIX}{name}", *command]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(node, command):
    run("ip", "-n", PREFIX + node, *command.split())


def until(what, seconds, holds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.05)
    raise RuntimeError(f"not within {seconds} s: {what}")


class Manifests:
    """The directory that the controller watches; files are put in place at once."""

    def __init__(self, directory, count):
        self.directory = directory
        os.mkdir(directory)
        self.put("namespaces.yaml", "---\n".join(
            f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n    meshnode.dev/mesh: {mesh}\n"
            for name, mesh in (("shop", "enabled"), ("pay", "enabled"), ("far", "disabled"))))
        for name, (node, address, namespace) in PODS.items():
            self.put(f"{name}.yaml", self.pod(name, namespace, f"node-{node}", address, True))
        # Each file in two forms: in one all of its pods are ready, in the other none.
        self.forms = []
        for first in range(0, count, PODS_PER_FILE):
            numbers = range(first, min(first + PODS_PER_FILE, count))
            self.forms.append([self.far(numbers, ready) for ready in (True, False)])
        for number, forms in enumerate(self.forms):
            self.put(f"far-{number}.yaml", forms[0])

    @staticmethod
    def pod(name, namespace, node, address, ready):
        return (f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  uid: flood-{name}\n"
                f"  labels:\n    app: {name}\nspec:\n  nodeName: {node}\n  serviceAccountName: {name}\n"
                f"status:\n  phase: Running\n  podIP: {address}\n  podIPs:\n    - ip: {address}\n"
                f"  conditions:\n    - type: Ready\n      status: \"{ready}\"\n")

    def far(self, numbers, ready):
        return "---\n".join(
            self.pod(f"far-{n}", "far", "node-far", f"10.251.{n // 250}.{n % 250 + 1}", ready) for n in numbers)

    def put(self, name, text):
        hidden = f"{self.directory}/.{name}"
        with open(hidden, "w") as file:
            file.write(text)
        os.rename(hidden, f"{self.directory}/{name}")

    def deny(self):
        self.put("policy.yaml", "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n"
                 "  name: not-7001\n  namespace: pay\nspec:\n  action: DENY\n  rules:\n    - to:\n"
                 "        - operation:\n            ports: [\"7001\"]\n")

    def allow(self):
        os.unlink(f"{self.directory}/policy.yaml")


class Flood(threading.Thread):
    """Changes pods at a steady rate until it is told to stop."""

    def __init__(self, manifests, changes):
        super().__init__(daemon=True)
        self.manifests, self.pause = manifests, PODS_PER_FILE / changes
        self.stopped = threading.Event()
        self.changes = 0

    def run(self):
        turn, due = 0, time.monotonic()
        while not self.stopped.is_set():
            number = turn % len(self.manifests.forms)
            form = self.manifests.forms[number][(turn // len(self.manifests.forms) + 1) % 2]
            self.manifests.put(f"far-{number}.yaml", form)
            self.changes += form.count("kind: Pod")
            turn, due = turn + 1, due + self.pause
            self.stopped.wait(max(0, due - time.monotonic()))


class Mesh:
    def __init__(self, work, options):
        self.work, self.binary, self.rate = work, options.binary, options.rate
        self.processes = []
        self.manifests = Manifests(f"{work}/manifests", options.pods)

    def start(self):
        self.make_network()
        self.agents = {"a": self.agent("a", "--config", self.manifests.directory, "--ca-directory", f"{self.work}/ca",
                                       "--listen", CONTROLLER)}
        until("there is an authority", 30, lambda: os.path.exists(f"{self.work}/ca/root-cert.pem"))
        with open(f"{self.work}/token", "w") as file:
            os.chmod(f"{self.work}/token", 0o600)
            file.write(run(self.binary, "token", "create", "--node", "node-b", "--ca-directory", f"{self.work}/ca"))
        self.agents["b"] = self.agent("b", "--controller", CONTROLLER, "--join-token", f"{self.work}/token",
                                      "--state-directory", f"{self.work}/state-b")
        self.server = self.spawn(inside("api", PYTHON, PEERS, "serve"))
        self.server.stdout.readline()
        until("both agents serve", 60, lambda: all(self.is_ready(node) for node in "ab"))
        self.client = self.spawn(inside("web", PYTHON, PEERS, "call", PODS["api"][1], "7000", "8",
                                        str(self.rate)))
        self.client.stdout.readline()

    def make_network(self):
        for node in "ab":
            run("ip", "netns", "add", PREFIX + node)
            ip(node, "link set lo up")
            run(*inside(node, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))
        ip("a", f"link add uplink type veth peer name uplink netns {PREFIX}b")
        for node, own, other in (("a", 1, 2), ("b", 2, 1)):
            ip(node, f"addr add 10.250.0.{own}/24 dev uplink")
            ip(node, "link set uplink up")
            ip(node, f"route add 10.250.{other}.0/24 via 10.250.0.{other}")
        for name, (node, address, _) in PODS.items():
            gateway = address.rsplit(".", 1)[0] + ".1"
            run("ip", "netns", "add", PREFIX + name)
            ip(node, f"link add to-{name} type veth peer name eth0 netns {PREFIX}{name}")
            ip(node, f"addr add {gateway}/32 dev to-{name}")
            ip(node, f"link set to-{name} up")
            ip(node, f"route add {address}/32 dev to-{name}")
            for command in ("link set lo up", f"addr add {address}/32 dev eth0", "link set eth0 up",
                            f"route add {gateway}/32 dev eth0", f"route add default via {gateway}"):
                ip(name, command)

    def spawn(self, command, **more):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
        self.processes.append(process)
        return process

    def agent(self, node, *more):
        log = open(f"{self.work}/agent-{node}.log", "w")
        process = subprocess.Popen(
            inside(node, self.binary, "agent", "--node", f"node-{node}", "--run-directory", f"{self.work}/run-{node}", *more),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        self.processes.append(process)
        return process

    def ask(self, node, *command):
        socket_path = f"{self.work}/run-{node}/agent.sock"
        done = subprocess.run([self.binary, *command, "-o", "json", "--socket", socket_path], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode in (0, 2) and done.stdout else None

    def is_ready(self, node):
        status = self.ask(node, "status", "--local")
        return bool(status) and status["agent"]["isReady"] and status["pods"].get("captured") == 1

    def children(self, node):
        """Processes of an agent by what they were started as."""
        found = {}
        pid = self.agents[node].pid
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in file.read().split():
                    with open(f"/proc/{child}/cmdline") as line:
                        found[line.read().split("\0")[1]] = int(child)
        return found

    def version(self, node):
        """Configurations that this node's worker has applied."""
        body = run(*inside(node, PYTHON, "-c", "import urllib.request as u; print(u.urlopen("
                           "'http://127.0.0.1:15020/metrics').read().decode())"))
        return next(float(line.split()[1]) for line in body.splitlines() if line.startswith("meshnode_config_version"))

    def reaches(self, port):
        """Whether one connection from the client's pod to the server's port is answered."""
        script = (f"import socket; c = socket.create_connection(('{PODS['api'][1]}', {port}), 5); c.sendall(b'x'); "
                  "print(c.recv(1))")
        return subprocess.run(inside("web", PYTHON, "-S", "-c", script), capture_output=True).returncode == 0

    def time_policy(self):
        """Seconds until a new policy is in force, and until it is no more."""
        spans = []
        for change, wanted in ((self.manifests.deny, False), (self.manifests.allow, True)):
            began = time.monotonic()
            change()
            until("the policy takes effect", 60, lambda: self.reaches(7001) == wanted)
            spans.append(round(time.monotonic() - began, 3))
        return spans

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        for name in [*PODS, "a", "b"]:
            subprocess.run(["ip", "netns", "del", PREFIX + name], capture_output=True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(mesh, seconds, changes):
    """One round."""
    flood = Flood(mesh.manifests, changes) if changes else None
    if flood:
        flood.start()
        time.sleep(1)
    pids = {f"{role}-{node}": pid for node in "ab" for role, pid in mesh.children(node).items()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    versions = {node: mesh.version(node) for node in "ab"}
    mesh.client.stdin.write("round\n")
    mesh.client.stdin.flush()
    mesh.client.stdout.readline()
    began, offered = time.monotonic(), flood.changes if flood else 0
    spans = mesh.time_policy()
    time.sleep(max(0, seconds - (time.monotonic() - began)))
    mesh.client.stdin.write("round\n")
    mesh.client.stdin.flush()
    report = json.loads(mesh.client.stdout.readline())
    elapsed = time.monotonic() - began
    report["connections_per_s"] = round(report["connections"] / elapsed)
    report["changes_per_s"] = round((flood.changes - offered) / elapsed) if flood else 0
    report["cpu"] = {name: round((cpu_seconds(pid) - before[name]) / elapsed, 2) for name, pid in pids.items()}
    report["configurations_per_s"] = {
        node: round((mesh.version(node) - version) / elapsed, 1) for node, version in versions.items()}
    report["policy_s"] = spans
    if flood:
        flood.stopped.set()
        flood.join()
        # What is on its way shall not burden the next round.
        time.sleep(3)
    return report


def row(kind, report):
    cpu = " ".join(f"{name} {share:.2f}" for name, share in sorted(report["cpu"].items()))
    configurations = "/".join(str(report["configurations_per_s"][node]) for node in "ab")
    print(f"{kind:5}  {report['changes_per_s']:5}/s  {report['connections_per_s']:5}/s  {report['failures']} failed  "
          f"p50 {report['p50_ms']} ms  p99 {report['p99_ms']} ms  configurations {configurations} per s  "
          f"policy {report['policy_s'][0]}/{report['policy_s'][1]} s  CPU {cpu}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--report")
    options = parser.parse_args()
    reports = {"calm": [], "flood": []}
    with tempfile.TemporaryDirectory(prefix="mn-flood-", ignore_cleanup_errors=True) as work:
        os.chmod(work, 0o755)
        mesh = Mesh(work, options)
        try:
            mesh.start()
            for _ in range(options.rounds):
                for kind, changes in (("calm", 0), ("flood", options.changes)):
                    report = measure(mesh, options.seconds, changes)
                    reports[kind].append(report)
                    row(kind, report)
        finally:
            mesh.stop()
            for node in "ab":
                if sys.exc_info()[0] and os.path.exists(f"{work}/agent-{node}.log"):
                    with open(f"{work}/agent-{node}.log") as file:
                        print(f"the end of the log of agent {node}:\n{file.read()[-1500:]}", file=sys.stderr)
    if options.report:
        with open(options.report, "w") as file:
            json.dump(reports, file, indent=2)
    failures = sum(report["failures"] for kind in reports.values() for report in kind)
    first = next((r["first_failure"] for kind in reports.values() for r in kind if r["first_failure"]), None)
    print(f"{failures} failures" + (f", the first: {first}" if first else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"hack/flood.sh: {error}")
