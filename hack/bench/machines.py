"""The machines of the benchmark: two nodes, and pods on them, each a network namespace; cgroups that account for
what runs there; and the processes that were started.

    node a  10.252.0.1  ── uplink ──  10.252.0.2  node b        node c, of another mesh, alone
      pods  10.252.1.x                10.252.2.x  pods            pods  10.252.3.x
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

PREFIX = f"mn-bench-{os.getpid()}-"
NODES = {"a": 1, "b": 2, "c": 3}


class BenchError(Exception):
    """What keeps the benchmark from going on."""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def until(what, seconds, holds):
    """Waits for an event, and looks for it every 10 ms."""
    deadline = time.monotonic() + seconds
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > deadline:
            raise BenchError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def inside(name, *command):
    return ["/usr/bin/nsenter", f"--net=/run/netns/{PREFIX}{name}", *command]


def in_namespace(name, function):
    """What `function` returns, called in a namespace: by a thread of its own, which setns(2) moves there."""
    result = []

    def work():
        with open(f"/run/netns/{PREFIX}{name}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0) != 0:
                return
        result.append(function())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if not result:
        raise BenchError(f"nothing came of what was called in {name}")
    return result[0]


def die_with_parent():
    """What the benchmark started ends with it, even if it is killed (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def remove_leftovers():
    """Deletes the namespaces of benchmarks that were killed before they could."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        pid = name.removeprefix("mn-bench-").split("-")[0]
        if name.startswith("mn-bench-") and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            run("ip", "netns", "del", name)


class Machines:
    """The namespaces and processes of one run.

    congestion_control: what TCP uses in all of them; None for what the host uses.
    """

    def __init__(self, congestion_control=None):
        self.namespaces, self.processes, self.congestion_control = [], [], congestion_control

    def namespace(self, name, settings=""):
        if self.congestion_control:
            settings += f" && echo {self.congestion_control} >/proc/sys/net/ipv4/tcp_congestion_control"
        run("ip", "netns", "add", PREFIX + name)
        self.namespaces.append(name)
        # Many short connections: ports are used again while old ones linger. The same for all that are compared.
        run(*inside(name, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse && "
                    f"echo 16384 65535 >/proc/sys/net/ipv4/ip_local_port_range {settings}"))
        self.ip(name, "link set lo up")

    def ip(self, name, *commands):
        run("ip", "-n", PREFIX + name, "-batch", "-", input="\n".join(commands) + "\n")

    def make_nodes(self):
        for node in "ab":
            self.namespace(node, "&& echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.ip("a", f"link add uplink type veth peer name uplink netns {PREFIX}b")
        for node, number, other in (("a", 1, 2), ("b", 2, 1)):
            self.ip(node, f"addr add 10.252.0.{number}/24 dev uplink", "link set uplink up",
                    f"route add 10.252.{other}.0/24 via 10.252.0.{other}")

    def make_pod(self, name, node, address):
        gateway = f"10.252.{NODES[node]}.1"
        link = f"v{address.replace('10.252.', '')}"
        self.namespace(name)
        self.ip(node, f"link add {link} type veth peer name eth0 netns {PREFIX}{name}",
                f"addr add {gateway}/32 dev {link}", f"link set {link} up", f"route add {address}/32 dev {link}")
        self.ip(name, f"addr add {address}/32 dev eth0", "link set eth0 up", f"route add {gateway}/32 dev eth0",
                f"route add default via {gateway}")

    def redirect(self, name, port, to):
        """What leaves the pod for `port` goes to the local port `to` first, as a mesh captures it."""
        run(*inside(name, "nft", "-f", "-"), input=f"""
            table ip bench-{port} {{
                chain output {{
                    type nat hook output priority -100
                    tcp dport {port} redirect to :{to}
                }}
            }}""")

    def spawn(self, name, command, log=None, cgroup=None, **more):
        """Starts a process in a namespace. Its output goes to the file `log`, or can be read."""
        output = open(log, "ab") if log else subprocess.PIPE

        def prepare():
            die_with_parent()
            if cgroup:
                cgroup.enter()

        process = subprocess.Popen(inside(name, *command), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT if log else None, preexec_fn=prepare, **more)
        process.what = " ".join(command[:2])
        self.processes.append(process)
        return process

    def spawn_listener(self, name, command, **more):
        """Starts a process that says when it listens."""
        process = self.spawn(name, command, **more)
        if process.stdout.readline() != b"listening\n":
            raise BenchError(f"{' '.join(command)} does not listen")
        return process

    def end(self, process, seconds=10):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        self.processes.remove(process)

    def remove(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in list(self.processes):
            self.end(process)
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", PREFIX + name], capture_output=True)


class Cgroups:
    """A cgroup per side of a candidate, by version 2, or by version 1's cpuacct."""

    def __init__(self):
        for kind, how in (("cgroup2", "cgroup v2 cpu.stat"), ("cgroup", "cgroup v1 cpuacct.usage")):
            more = ["--options", "cpuacct"] if kind == "cgroup" else []
            found = subprocess.run(["findmnt", "--noheadings", "--first-only", "--types", kind, *more, "--output",
                                    "TARGET"], capture_output=True, text=True).stdout.strip()
            if not found:
                continue
            self.root = f"{found}/mn-bench-{os.getpid()}"
            try:
                os.mkdir(self.root)
            except OSError:
                continue
            if os.path.exists(f"{self.root}/{how.split()[-1]}"):
                self.how = how
                return
            os.rmdir(self.root)
        raise BenchError("no cgroup can be made: the CPU of a candidate is that of one cgroup per side")

    def make(self, name):
        return Cgroup(f"{self.root}/{name}")

    def remove(self):
        for path, _, _ in os.walk(self.root, topdown=False):
            try:
                os.rmdir(path)
            except OSError as error:
                print(f"hack/bench.sh: {error}", file=sys.stderr)


class Cgroup:
    def __init__(self, path):
        self.path = path
        os.mkdir(path)

    def enter(self):
        with open(f"{self.path}/cgroup.procs", "w") as file:
            file.write("0")

    def cpu_seconds(self):
        """User and system time of everything that ever ran in it."""
        try:
            with open(f"{self.path}/cpu.stat") as file:
                return int(file.readline().split()[1]) / 1e6
        except FileNotFoundError:
            with open(f"{self.path}/cpuacct.usage") as file:
                return int(file.read()) / 1e9

    def pids(self):
        """Its processes, and those of the cgroups that an agent makes below it."""
        found = []
        for path, _, _ in os.walk(self.path):
            with open(f"{path}/cgroup.procs") as file:
                found += [int(line) for line in file]
        return found

    def memory(self, field="Rss"):
        """Bytes of all its processes together."""
        return sum(memory_of(pid, field) for pid in self.pids())


def settled(read, seconds=8):
    """What `read` says once it has not changed by much for that long, after 30 seconds at most: an agent gives memory back
    a few seconds after it has become quiet."""
    last, since, end = read(), time.monotonic(), time.monotonic() + 30
    while time.monotonic() < min(since + seconds, end):
        time.sleep(0.5)
        now = read()
        if abs(now - last) > max(4096, now // 1000):
            last, since = now, time.monotonic()
    return last


def memory_of(pid, field="Rss"):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return 0
