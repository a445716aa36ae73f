"""What was measured, for people; and where."""

import os
import platform
import subprocess

from machines import run


def environment(bench):
    def read(path):
        with open(path) as file:
            return file.read().strip()

    model = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), platform.machine())
    return {
        "cores": os.cpu_count(), "cpu": model, "kernel": platform.release(),
        "openssl": run("openssl", "version").split("(")[0].strip(),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "meshnode": run(bench.binary, "--version").strip(), "envoy": run(bench.envoy, "--version").strip().split()[-1],
        "cpu_accounting": bench.cgroups.how, "loops": 1, "envoy_concurrency": 1,
        "load_average": os.getloadavg()[0],
    }


ROWS = [("bulk", "cpu", "bulk, 1 stream: CPU s/GiB", 2), ("bulk", "gib_per_second", "  GiB/s", 2),
        ("bulk8", "cpu", "bulk, 8 streams: CPU s/GiB", 2), ("bulk8", "gib_per_second", "  GiB/s", 2),
        ("request1", "cpu", "request, 1 connection: CPU us", 1), ("request1", "requests_per_second", "  requests/s", 0),
        ("request1", "p50_us", "  p50 us", 0), ("request1", "p99_us", "  p99 us", 0),
        ("request32", "cpu", "request, 32 connections: CPU us", 1),
        ("request32", "requests_per_second", "  requests/s", 0), ("request32", "p50_us", "  p50 us", 0),
        ("request32", "p99_us", "  p99 us", 0),
        ("connection", "cpu", "connect, request, close: CPU us", 0),
        ("connection", "connections_per_second", "  connections/s", 0), ("connection", "p99_us", "  p99 us", 0)]


def table(results):
    lines = []
    if "candidates" in results:
        names = list(results["candidates"])
        lines.append(f"{'':34}" + "".join(f"{name:>10}" for name in names))
        for work, field, title, digits in ROWS:
            if work in results["candidates"][names[0]]:
                values = [results["candidates"][name][work][field] for name in names]
                lines.append(f"{title:34}" + "".join(f"{value:10.{digits}f}" for value in values))
        lines.append("")
        lines.append(f"{'meshnode / envoy':34}{'median':>10}{'least':>10}{'most':>10}")
        for name, value in results["ratios"].items():
            spread = results["spread"][name]
            lines.append(f"{name:34}{value:10.2f}{spread['min']:10.2f}{spread['max']:10.2f}")
    return "\n".join(lines)
