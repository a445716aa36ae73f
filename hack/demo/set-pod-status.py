"""Writes the status of a pod into its manifest, as a kubelet writes it to the API server.

usage: set-pod-status.py MANIFEST RESULT PHASE

MANIFEST is a file with one pod, whose `status`, if it has one, is its last part. RESULT is what the CNI chain printed:
its addresses become the pod's. PHASE is Pending, or Running, which includes that the pod is ready. The new manifest
takes the old one's place in one step: nobody reads half of it.
"""

import json
import os
import sys


def main():
    manifest, result, phase = sys.argv[1:4]
    with open(result) as file:
        addresses = [entry["address"].split("/")[0] for entry in json.load(file)["ips"]]
    with open(manifest) as file:
        lines = file.read().splitlines()
    if "status:" in lines:
        lines = lines[: lines.index("status:")]
    lines += ["status:", f"  phase: {phase}", f"  podIP: {addresses[0]}", "  podIPs:"]
    lines += [f"    - ip: {address}" for address in addresses]
    lines += ["  conditions:", "    - type: Ready", f"      status: \"{phase == 'Running'}\""]
    # The name does not end in .yaml: it is no manifest yet.
    with open(manifest + ".new", "w") as file:
        file.write("\n".join(lines) + "\n")
    os.rename(manifest + ".new", manifest)


main()
