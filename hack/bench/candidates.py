"""Those that are compared. Each has pods of its own, alike in all but the mesh: `web-NAME` on node a with the client,
`api-NAME` on node b with the server."""

import json
import os
import string
import subprocess

from machines import BenchError, inside, run, until

SERVER_PORT = 7000
# What is sent here is relayed to the port above it.
HOP_PORT = 7001
HERE = os.path.dirname(os.path.abspath(__file__))


class Candidate:
    """No proxy at all: how far the machine goes."""

    name, number = "direct", 10

    def __init__(self, bench):
        self.bench, self.machines = bench, bench.machines
        self.client, self.server = f"10.252.1.{self.number}", f"10.252.2.{self.number}"
        self.cgroups = []

    def cgroup(self, side):
        group = self.bench.cgroups.make(f"{self.name}-{side}")
        self.cgroups.append(group)
        return group

    def start(self):
        self.machines.make_pod(f"web-{self.name}", "a", self.client)
        self.machines.make_pod(f"api-{self.name}", "b", self.server)
        self.start_server(f"api-{self.name}", self.server)
        self.start_proxies()

    def start_server(self, pod, address, port=SERVER_PORT):
        self.machines.spawn_listener(pod, [self.bench.load, "serve", "--at", f"{address}:{port}"])

    def start_proxies(self):
        pass

    def cpu_seconds(self):
        """Of the client's side and of the server's."""
        return [group.cpu_seconds() for group in self.cgroups] or [0.0]

    def memory(self, field="Rss"):
        return sum(group.memory(field) for group in self.cgroups)


class Relay(Candidate):
    """Two processes in the path that only copy."""

    name, number = "relay", 20
    near = "10.252.1.21"

    def start_proxies(self):
        self.machines.spawn_listener(
            f"web-{self.name}", [self.bench.load, "relay", "--at", "0.0.0.0:15001", "--original-destination-port", "15008"],
            cgroup=self.cgroup("client"))
        self.machines.spawn_listener(
            f"api-{self.name}",
            [self.bench.load, "relay", "--at", f"{self.server}:15008", "--to", f"{self.server}:{SERVER_PORT}"],
            cgroup=self.cgroup("server"))
        self.machines.redirect(f"web-{self.name}", SERVER_PORT, 15001)
        self.start_hop()

    def start_hop(self):
        """Within the client's node, one process in the path: a second server, and a port that goes there."""
        self.machines.make_pod(f"near-{self.name}", "a", self.near)
        self.start_server(f"near-{self.name}", self.near, HOP_PORT + 1)
        self.hop = self.bench.cgroups.make(f"{self.name}-hop")
        self.machines.spawn_listener(
            f"web-{self.name}",
            [self.bench.load, "relay", "--at", "0.0.0.0:15002", "--original-destination-port", str(HOP_PORT + 1)],
            cgroup=self.hop)
        self.machines.redirect(f"web-{self.name}", HOP_PORT, 15002)


class Envoy(Candidate):
    name, number = "envoy", 30

    def start_proxies(self):
        directory = f"{self.bench.work}/envoy"
        os.mkdir(directory)
        for name in ("web.pem", "web.key", "api.pem", "api.key", "root.pem"):
            os.link(self.bench.authority.path(name), f"{directory}/{name}")
        for side, pod in (("outbound", "web"), ("inbound", "api")):
            with open(f"{HERE}/envoy/{side}.yaml") as file:
                text = string.Template(file.read()).substitute(directory=directory, server=self.server)
            with open(f"{directory}/{side}.yaml", "w") as file:
                file.write(text)
            self.machines.spawn(
                f"{pod}-{self.name}",
                [self.bench.envoy, "--config-path", f"{directory}/{side}.yaml", "--concurrency", "1",
                 "--use-dynamic-base-id", "--log-level", "warning"],
                log=f"{directory}/{side}.log", cgroup=self.cgroup("client" if side == "outbound" else "server"))
        self.machines.redirect(f"web-{self.name}", SERVER_PORT, 15001)
        for pod, port in (("web", 15001), ("api", 15008)):
            until(f"Envoy listens on {port}", 20, lambda: f":{port} " in run(*inside(f"{pod}-{self.name}", "ss", "-Hltn")))

    def cipher(self):
        """The TLS cipher of its sessions, by its access log; by then it has had traffic."""
        with open(f"{self.bench.work}/envoy/inbound-access.log") as file:
            ciphers = {line.split("cipher=")[1].split()[0] for line in file if "identity=spiffe://" in line}
        return " ".join(sorted(ciphers)) or "unknown"


class Meshnode(Candidate):
    """The agent on each node, with everything switched on."""

    name, number = "meshnode", 40
    near = "10.252.1.41"
    controller, metrics_port = "10.252.0.1:15012", 15020

    @property
    def binary(self):
        return self.bench.binary

    def start_proxies(self):
        # A second server on the client's node, for the work within one node.
        self.machines.make_pod(f"near-{self.name}", "a", self.near)
        self.start_server(f"near-{self.name}", self.near)
        self.directory = f"{self.bench.work}/{self.name}"
        # The CA of all candidates, as an operator brings his own.
        authority = f"{self.directory}/ca"
        os.makedirs(f"{self.directory}/manifests")
        os.mkdir(authority, 0o700)
        for theirs, ours in (("ca-cert.pem", "issuer.crt"), ("ca-key.pem", "issuer.key"), ("root-cert.pem", "root.crt")):
            os.link(self.bench.authority.path(ours), f"{authority}/{theirs}")
            os.chmod(f"{authority}/{theirs}", 0o600)
        self.write_manifests()
        self.agents = {}
        self.start_agent("a", "--config", f"{self.directory}/manifests", "--listen", self.controller, "--ca-directory",
                         authority)
        self.wait("a", 2)
        token = f"{self.directory}/token"
        with open(token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(run(self.binary, "token", "create", "--node", "node-b", "--ca-directory", authority))
        self.start_agent("b", "--controller", self.controller, "--join-token", token, "--state-directory",
                         f"{self.directory}/state-b")
        self.wait("b", 1)

    def write_manifests(self):
        manifests = [namespace("shop"), namespace("pay"),
                     pod("web", "shop", "node-a", self.client), pod("api", "pay", "node-b", self.server),
                     pod("near", "pay", "node-a", self.near, account="api")]
        manifests += [policy(number, f"other-{number}" if number < 9 else "web") for number in range(10)]
        put(f"{self.directory}/manifests", "mesh.yaml", manifests)

    def start_agent(self, node, *options):
        self.agents[node] = self.machines.spawn(
            node,
            [self.binary, "agent", "--node", f"node-{node}", "--run-directory", f"{self.directory}/run-{node}",
             "--metrics-port", str(self.metrics_port), "--readiness-port", str(self.metrics_port + 1), "--loops", "1",
             "--drain-deadline", "1s", *options],
            log=f"{self.directory}/agent-{node}.log", cgroup=self.cgroup("client" if node == "a" else "server"))

    def wait(self, node, pods):
        """Until the agent is ready, and has captured its pods."""

        def is_ready():
            if self.agents[node].poll() is not None:
                raise BenchError(f"{self.name}: the agent of node {node} has ended")
            status = ask(self.binary, f"{self.directory}/run-{node}", "status", "--local")
            return status and status["agent"]["isReady"] and status["pods"].get("captured") == pods

        until(f"the agent of node {node} is ready", 60, is_ready)


class Baseline(Meshnode):
    """Another meshnode, to be compared with."""

    name, number = "baseline", 50
    near = "10.252.1.51"
    controller, metrics_port = "10.252.0.1:16012", 16020

    @property
    def binary(self):
        return self.bench.options.baseline


def ask(binary, run_directory, *command):
    """What an agent answers; None if it does not."""
    done = subprocess.run([binary, *command, "-o", "json", "--socket", f"{run_directory}/agent.sock"],
                          capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode in (0, 2) and done.stdout else None


def processes_of(agent):
    """The processes of an agent by what they are: keeper, worker, controller. Those that are just being started are
    left out."""
    found = {"keeper": agent.pid}
    for task in os.listdir(f"/proc/{agent.pid}/task"):
        try:
            with open(f"/proc/{agent.pid}/task/{task}/children") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/cmdline") as line:
                    words = line.read().split("\0")
                if len(words) > 1:
                    found[words[1]] = int(child)
        except FileNotFoundError:
            continue
    return found


# --- manifests

def put(directory, name, manifests):
    """Writes a file that is there whole or not at all."""
    with open(f"{directory}/.{name}", "w") as file:
        file.write("---\n".join(manifests))
    os.rename(f"{directory}/.{name}", f"{directory}/{name}")


def namespace(name, mesh="enabled"):
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n    meshnode.dev/mesh: {mesh}\n"


def pod(name, namespace, node, address, account=None, ready=True):
    return (f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  uid: bench-{name}\n"
            f"  labels:\n    app: {name}\nspec:\n  nodeName: {node}\n  serviceAccountName: {account or name}\n"
            f"status:\n  phase: Running\n  podIP: {address}\n  podIPs:\n    - ip: {address}\n"
            f"  conditions:\n    - type: Ready\n      status: \"{ready}\"\n")


def policy(number, account):
    """Allows one service account; of the ten in a namespace the last one matches, as with Envoy."""
    return (f"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: p{number}\n"
            f"  namespace: pay\nspec:\n  action: ALLOW\n  rules:\n    - from:\n        - source:\n            principals:\n"
            f"              - cluster.local/ns/shop/sa/{account}\n      to:\n        - operation:\n"
            f"            ports: [\"{SERVER_PORT}\"]\n")
