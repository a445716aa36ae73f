"""What was measured, for people; and where."""

import os
import platform

from machines import inside, run

RATIO_TITLES = {
    "bulk_cpu": "CPU per GiB, 1 stream", "bulk8_cpu": "CPU per GiB, 8 streams",
    "request1_cpu": "CPU per request, 1 connection", "request32_cpu": "CPU per request, 32 connections",
    "request32_p99": "p99 of a request, 32 connections", "connection_cpu": "CPU per connection",
    "connections_per_second": "connections per second (more is better)",
}

# What performance is aimed at, as ratios; with OpenSSL 3.0, bulk has the wider bound.
GOALS = {
    "bulk_cpu": "<= 0.80", "bulk8_cpu": "<= 0.85", "request32_cpu": "<= 0.70", "request32_p99": "<= 0.65",
    "connection_cpu": "<= 0.40", "connections_per_second": ">= 2.3",
}

# Work, field, title, digits.
ROWS = [
    ("bulk", "cpu", "bulk, 1 stream: CPU s/GiB", 2), ("bulk", "gib_per_second", "GiB/s", 2),
    ("bulk8", "cpu", "bulk, 8 streams: CPU s/GiB", 2), ("bulk8", "gib_per_second", "GiB/s", 2),
    ("request1", "cpu", "request, 1 connection: CPU us", 1), ("request1", "requests_per_second", "requests/s", 0),
    ("request1", "p50_us", "p50 us", 0), ("request1", "p99_us", "p99 us", 0),
    ("request32", "cpu", "request, 32 connections: CPU us", 1),
    ("request32", "requests_per_second", "requests/s", 0), ("request32", "p50_us", "p50 us", 0),
    ("request32", "p99_us", "p99 us", 0),
    ("connection", "cpu", "connect, request, close: CPU us", 0),
    ("connection", "connections_per_second", "connections/s", 0), ("connection", "p99_us", "p99 us", 0),
]


def environment(bench):
    def read(path):
        with open(path) as file:
            return file.read().strip()

    model = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), platform.machine())
    return {
        "cores": os.cpu_count(), "cpu": model, "kernel": platform.release(),
        "openssl": " ".join(run("openssl", "version").split()[:2]),
        "congestion_control": run(*inside("a", "cat", "/proc/sys/net/ipv4/tcp_congestion_control")).strip(),
        "meshnode": run(bench.binary, "--version").strip(),
        # commit/version/...
        "envoy": run(bench.envoy, "--version").strip().split("version: ")[-1].split("/")[1],
        "cipher": bench.ciphers(), "cpu_accounting": bench.cgroups.how, "loops": 1, "envoy_concurrency": 1,
        "policies": 10, "load_average_before": bench.load_before, "load_average_after": os.getloadavg()[0],
    }


def table(results):
    lines = []
    if "candidates" in results:
        lines += traffic(results["candidates"])
        lines += ratios("meshnode / envoy", results["ratios"], results["spread"], GOALS)
        if "baseline" in results:
            lines += ratios("meshnode / baseline", results["baseline"]["ratios"], results["baseline"]["spread"])
        lines += limits(results["limits"])
    if "same_node" in results:
        same = results["same_node"]
        lines += ["within one node:", *traffic(same["candidates"])]
        lines += ratios("meshnode / one relay hop", {name: same[name] for name in RATIO_TITLES}, same["spread"])
    lines += footprint(results)
    where = results["environment"]
    lines.append(f"{where['cpu']}, {where['cores']} cores, load {where['load_average_before']:.1f} before; Linux "
                 f"{where['kernel']}, {where['openssl']}, {where['congestion_control']}; CPU by {where['cpu_accounting']}")
    lines.append("; ".join(f"{name} {cipher}" for name, cipher in where["cipher"].items()))
    lines.append(f"{results['seconds']} s")
    return "\n".join(lines)


def traffic(measured):
    names = list(measured)
    lines = [f"{'':34}" + "".join(f"{name:>11}" for name in names)]
    for work, field, title, digits in ROWS:
        if work in measured[names[0]]:
            # No proxy has no CPU.
            values = [f"{measured[name][work][field]:.{digits}f}" if name != "direct" or field != "cpu" else "-"
                      for name in names]
            title = title if field == "cpu" else "  " + title
            lines.append(f"{title:34}" + "".join(f"{value:>11}" for value in values))
    return [*lines, ""]


def ratios(title, values, spread, goals=None):
    lines = [f"{title:42}{'median':>9}{'least':>9}{'most':>9}" + (f"{'goal':>10}" if goals else "")]
    for name, value in values.items():
        lines.append((f"{RATIO_TITLES[name]:42}{value:9.2f}{spread[name]['min']:9.2f}{spread[name]['max']:9.2f}"
                      f"{(goals or {}).get(name, ''):>10}").rstrip())
    return [*lines, ""]


def limits(values):
    lines = []
    if "bulk_to_relay_and_crypto" in values:
        lines.append(f"bulk, to the relay's CPU and AES-128-GCM twice ({values['crypto_cpu_s_per_gib']:.2f} s/GiB each): "
                     f"{values['bulk_to_relay_and_crypto']:.2f}")
    if "request32_to_relay" in values:
        lines.append(f"request, 32 connections, to the relay's CPU: {values['request32_to_relay']:.2f}")
    return [*lines, ""] if lines else []


def footprint(results):
    lines = []
    for name, rows in results.get("idle", {}).items():
        for row in rows:
            lines.append(f"{row['connections']} idle connections, both sides of {name}: "
                         f"{row['bytes_per_connection']:.0f} bytes each")
    for name, row in results.get("handshakes", {}).items():
        lines.append(f"new mTLS session accepted by {name}: {row['cpu']:.0f} us CPU ({row['cipher']})")
    if "rest" in results:
        rest = results["rest"]
        lines.append(f"keeper and worker at rest with {rest['pods']} pods: RSS {mebibytes(rest['rss_bytes'])}, PSS "
                     f"{mebibytes(rest['pss_bytes'])}, private {mebibytes(rest['private_bytes'])}")
        lines.append(f"keeper, to capture a pod: {rest['keeper_cpu_us_per_pod']:.0f} us CPU")
    if "control" in results:
        lines += control(results["control"])
    if "waypoint" in results:
        lines.append(f"waypoint: {results['waypoint']}")
    return [*lines, ""] if lines else []


def control(told):
    lines = [f"{told['workloads']} workloads: known to both agents {told['seconds_until_known']:.1f} s after their files; "
             f"a change reaches both in {told['change_ms'][len(told['change_ms']) // 2]:.0f} ms (median)"]
    for node, role in (("c", "embedded-controller"), ("c", "worker"), ("d", "subscriber"), ("d", "worker")):
        before, after = told["memory_before"][node][role], told["memory"][node][role]
        lines.append(f"  {role} of node {node}: RSS {mebibytes(before['rss_bytes'])} -> {mebibytes(after['rss_bytes'])}")
    return lines


def mebibytes(count):
    return f"{count / (1 << 20):.1f} MiB"
